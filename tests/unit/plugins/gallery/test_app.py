"""The gallery's pages and pictures: what they show, to whom, and what cannot be asked for."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from PIL import Image

from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.plugins.gallery import access, routes
from airflow_claid.plugins.gallery.reports import Report
from tests.support.pictures import picture
from tests.unit.plugins.gallery.conftest import OF_RUN, RUN, Reported, image

HTML = {"Accept": "text/html"}
SCRIPT = "<script>alert('x')</script>"
TASK = f"{OF_RUN}/tasks/generate/-1"


def report(*images: dict[str, object], task: str = "generate", **facts: object) -> Report:
    return Report(task, facts.pop("map_index", -1), images, **facts)  # type: ignore[arg-type]


def manifest(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows), encoding="utf-8")
    return f"file://{path}"


def row(number: int, path: str | None = None, **facts: object) -> dict[str, object]:
    paths = {"paths": [path], "bytes": [120]} if path else {}
    return {
        "name": f"SKU-{number}", "prompt": f"A chair, no. {number}", "fingerprint": None, "status": "done",
        "credits": 1.0, **paths, **facts, "row": number,
    }  # fmt: skip


def test_every_route_about_a_dag_asks_airflow_who_may_read_it(client: TestClient) -> None:
    guarded = {route.path for route in routes._guarded.routes if isinstance(route, APIRoute)}
    others = {route.path for route in routes.router.routes if isinstance(route, APIRoute)} - guarded
    assert [each.dependency for each in routes._guarded.dependencies] == [access.reads_xcom]
    assert (len(guarded), others) == (4, {"/images"})
    del client.headers["X-Rights"]
    assert client.get("/images").status_code == 401


@pytest.mark.parametrize("path", [OF_RUN, TASK, f"{TASK}/0", f"{TASK}/0/0/thumbnail", f"{TASK}/0/0/large"])
def test_nobody_sees_anything_without_the_right(
    client: TestClient, reported: Reported, folder: Path, path: str
) -> None:
    (folder / "a.png").write_bytes(picture())
    reported["shop", RUN] = [report(image(f"file://{folder}/a.png"))]
    assert client.get(path).status_code == 200
    assert client.get(path, headers={"X-Rights": "none"}).status_code == 403
    del client.headers["X-Rights"]
    assert client.get(path).status_code == 401
    assert "not signed in" in client.get(path, headers=HTML).text


def test_a_run_shows_its_pictures_with_state_name_size_and_credits(client: TestClient, reported: Reported) -> None:
    reported["shop", RUN] = [
        report(image("file:///p/a.png", name="SOFA"), image("file:///p/b.png", credits=0.0)),
        report(image(None, blocked=True, name="POSTER"), task="second", map_index=3, label="P-3"),
        report(image(None, error="Claid said no", name="LAMP"), task="third"),
        report(image("https://a.claid.ai/x.png", expires_at="2020-01-01T00:00:00+00:00"), task="fourth"),
    ]
    shown = client.get(OF_RUN).text
    for text in (
        "SOFA",
        "64 \N{MULTIPLICATION SIGN} 48",
        "1 credit",
        "0 credits",
        "Reused",
        "Blocked",
        "second [P-3]",
        "Claid said no",
        "Expired",
    ):
        assert text in shown
    assert f'src="{TASK}/0/0/thumbnail"'.replace("%3A", ":") in shown.replace("%3A", ":")


def test_what_a_task_reports_is_text_and_never_markup(client: TestClient, reported: Reported) -> None:
    reported["shop", RUN] = [report(image("file:///p/a.png", name=SCRIPT, prompt=f'"{SCRIPT}', error=SCRIPT))]
    for path in (OF_RUN, f"{TASK}/0", f"{OF_RUN}?text={SCRIPT}"):
        answer = client.get(path)
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;" in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_pictures_are_found_by_state_and_text_and_shown_page_by_page(client: TestClient, reported: Reported) -> None:
    many = [image(f"file:///p/{number}.png", name=f"SKU-{number:03}") for number in range(150)]
    many[149] |= {"blocked": True, "prompt": "A Poster"}
    reported["shop", RUN] = [report(*many)]
    first, last = client.get(OF_RUN).text, client.get(f"{OF_RUN}?page=3").text
    assert ("SKU-059" in first, "SKU-060" in first) == (True, False)
    assert ("SKU-120" in last, "SKU-119" in last, "of 3" in last) == (True, False, True)
    assert client.get(f"{OF_RUN}?page=99").text == last
    blocked = client.get(f"{OF_RUN}?state=blocked").text
    assert ("SKU-149" in blocked, "SKU-148" in blocked) == (True, False)
    assert "SKU-149" in client.get(f"{OF_RUN}?text=poster").text
    assert "Nothing matches" in client.get(f"{OF_RUN}?text=poster&state=done").text


def test_a_task_that_is_not_mapped_and_one_of_many_indexes(client: TestClient, reported: Reported) -> None:
    reported["shop", RUN] = [report(image("file:///p/a.png", name=f"N{index}"), map_index=index) for index in range(3)]
    one = client.get(f"{OF_RUN}/tasks/generate/1").text
    assert ("N1" in one, "N0" in one) == (True, False)
    for every in ("%7BMAP_INDEX%7D", "all"):
        assert all(name in client.get(f"{OF_RUN}/tasks/generate/{every}").text for name in ("N0", "N1", "N2"))


def test_a_run_without_pictures_says_so(client: TestClient) -> None:
    answer = client.get(OF_RUN)
    assert answer.status_code == 200
    assert "No pictures here" in answer.text


def test_a_thumbnail_is_small_and_sent_once(client: TestClient, reported: Reported, folder: Path) -> None:
    (folder / "a.png").write_bytes(picture(1200, 600))
    reported["shop", RUN] = [report(image(f"file://{folder}/a.png"))]
    answer = client.get(f"{TASK}/0/0/thumbnail")
    assert Image.open(io.BytesIO(answer.content)).size == (360, 180)
    assert (answer.headers["Content-Type"], answer.headers["X-Picture-Size"]) == ("image/webp", "1200x600")
    again = client.get(f"{TASK}/0/0/thumbnail", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    large = client.get(f"{TASK}/0/0/large")
    assert Image.open(io.BytesIO(large.content)).size == (1200, 600)
    assert large.headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize(
    "path", ["0/1/thumbnail", "1/0/thumbnail", "0/input/thumbnail", "0/-1/large", "0/..%2F..%2Fb.png/large", "7"]
)
def test_what_the_task_did_not_report_cannot_be_asked_for(
    client: TestClient, reported: Reported, folder: Path, path: str
) -> None:
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture())
    reported["shop", RUN] = [report(image(f"file://{folder}/a.png"))]
    assert client.get(f"{TASK}/{path}").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("file://{folder}/none.png", 410, "no such file"),
        ("file://{folder}/text.png", 415, "no picture"),
        ("file://{folder}/broken.png", 415, "broken"),
        ("s3://nobody@bucket/a.png", 502, "no connection 'nobody'"),
        ("https://elsewhere.example/a.png", 502, "no connection 'claid_default'"),
        ("storage://shop/a.png", 502, "no connection 'claid_default'"),
        ("/etc/passwd", 404, "no address"),
    ],
)
def test_what_is_not_shown_says_why(
    client: TestClient, reported: Reported, folder: Path, path: str, status: int, said: str
) -> None:
    (folder / "text.png").write_text("root:x:0:0")
    (folder / "broken.png").write_bytes(picture()[:60])
    reported["shop", RUN] = [report(image(path.format(folder=folder)))]
    answer = client.get(f"{TASK}/0/0/thumbnail")
    assert (answer.status_code, said in answer.json()["reason"]) == (status, True), answer.text
    assert bool(answer.json()["lacking"]) == (status == 502)
    assert "root:x" not in answer.text


def test_a_manifest_is_shown_row_by_row(client: TestClient, reported: Reported, folder: Path) -> None:
    (folder / "a.png").write_bytes(picture(64, 64))
    rows = [row(number, f"file://{folder}/a.png") for number in range(1, 131)]
    rows[1] |= {"status": "blocked", "paths": []}
    rows[2] |= {"status": "invalid", "error": "too short"}
    rows[3] |= {"prompt": 'Says "status":"failed"'}
    reported["shop", RUN] = [report(manifest=manifest(folder / "m.jsonl", rows))]
    shown = client.get(OF_RUN).text
    for text in ("SKU-1<", "too short", "<b>130</b>", "<b>128</b>", "1 to 60 of 130"):
        assert text in shown
    assert "SKU-130" in client.get(f"{OF_RUN}?page=3").text
    assert "SKU-2<" in client.get(f"{OF_RUN}?state=blocked").text
    assert "SKU-77<" in client.get(f"{OF_RUN}?text=NO. 77&state=done").text
    assert "SKU-4<" in client.get(f"{OF_RUN}", params={"text": 'says "'}).text
    assert "Nothing matches" in client.get(f"{OF_RUN}?text=fingerprint").text
    assert client.get(f"{TASK}/129/0/thumbnail").status_code == 200
    assert client.get(f"{TASK}/130").status_code == 404


def test_a_manifest_that_is_written_anew_is_read_anew(client: TestClient, reported: Reported, folder: Path) -> None:
    address = manifest(folder / "m.jsonl", [row(1)])
    reported["shop", RUN] = [report(manifest=address)]
    assert "SKU-1<" in client.get(OF_RUN).text
    manifest(folder / "other.jsonl", [row(1), row(2)])
    (folder / "other.jsonl").replace(folder / "m.jsonl")
    assert "SKU-2<" in client.get(OF_RUN).text


def test_a_manifest_that_cannot_be_read_says_why(client: TestClient, reported: Reported, folder: Path) -> None:
    reported["shop", RUN] = [
        report(manifest=f"file://{folder}/m.jsonl"),
        report(image("file:///p/a.png", name="N"), task="b"),
    ]
    shown = client.get(OF_RUN).text
    assert "generate: There is no such file" in shown
    assert ">N<" in shown


def test_a_picture_shows_its_path_receipt_and_chain(client: TestClient, reported: Reported, folder: Path) -> None:
    fingerprint = "ab" * 32
    base = f"file://{folder}"
    author = Author("shop", "earlier", "generate", -1, 2)
    receipt = Receipt(
        fingerprint, ReceiptState.DELIVERED, author, "generate", "https://api.claid.ai", "A linen sofa", {}, f"{base}/",
        "SOFA", credits=1.0, asked_at="2026-10-31T10:00:00+00:00", request_id="req-7",
        images=(DeliveredImage(1, f"{base}/a.png", blocked=False),),
    )  # fmt: skip
    FolderReceipts(f"{base}/_claid/").create(receipt)
    reported["shop", RUN] = [
        report(image(f"{base}/a.png", name="SOFA", fingerprint=fingerprint)),
        report(image(f"{base}/b.png", input=f"{base}/a.png", name="LARGE"), task="upscale"),
        report(manifest=manifest(folder / "m.jsonl", [row(1, f"{base}/c.png", input=f"{base}/b.png")]), task="resize"),
    ]
    first = client.get(f"{TASK}/0").text
    for text in (f"{base}/a.png", "req-7", "shop · generate · earlier, try 2", "2026-10-31 10:00:00 UTC", "LARGE"):
        assert text in first
    assert first.index("LARGE</span>") < first.index("SKU-1</span>")
    second = client.get(f"{OF_RUN}/tasks/upscale/-1/0").text
    assert second.index("SOFA") < second.index('<li class="step now">') < second.index("SKU-1")
    third = client.get(f"{OF_RUN}/tasks/resize/-1/0").text
    assert third.index("SOFA</span>") < third.index("LARGE</span>") < third.index('<li class="step now">')


def test_a_chain_ends_where_several_were_made_from_one(client: TestClient, reported: Reported) -> None:
    sizes = [image(f"file:///p/{name}.png", input="file:///p/large.png", name=name) for name in ("SMALL", "WIDE")]
    reported["shop", RUN] = [
        report(image("file:///p/a.png", name="SOFA")),
        report(image("file:///p/large.png", input="file:///p/a.png", name="LARGE"), task="upscale"),
        report(*sizes, task="resize"),
    ]
    shown = client.get(f"{TASK}/0").text
    assert shown.index("LARGE</span>") < shown.index("SMALL</span>") < shown.index('class="step beside"')
    assert "WIDE</span>" in client.get(f"{OF_RUN}/tasks/resize/-1/1").text


def test_a_chain_that_goes_in_a_circle_ends(client: TestClient, reported: Reported) -> None:
    one = image("file:///p/a.png", input="file:///p/b.png", name="ONE")
    two = image("file:///p/b.png", input="file:///p/a.png", name="TWO")
    reported["shop", RUN] = [report(one), report(two, task="second")]
    assert client.get(f"{TASK}/0").status_code == 200


def test_an_input_that_no_task_made_is_shown_too(client: TestClient, reported: Reported, folder: Path) -> None:
    (folder / "photo.png").write_bytes(picture())
    reported["shop", RUN] = [report(image(f"file://{folder}/a.png", input=f"file://{folder}/photo.png"))]
    assert "photo.png" in client.get(f"{TASK}/0").text
    assert client.get(f"{TASK}/0/input/thumbnail").status_code == 200


def test_signatures_of_links_are_never_shown(client: TestClient, reported: Reported) -> None:
    link = "https://b.s3.amazonaws.com/a.png?X-Amz-Signature=5ec3e7"
    reported["shop", RUN] = [report(image(link, input=link, error=f"Could not read {link}"))]
    for path in (OF_RUN, f"{TASK}/0"):
        assert "5ec3e7" not in client.get(path).text


def test_the_navigation_shows_only_runs_whose_xcom_the_person_may_read(client: TestClient, reported: Reported) -> None:
    reported["shop", RUN] = [report(image("file:///p/a.png"))]
    reported["secret", RUN] = [report(image("file:///p/b.png"))]
    shown = client.get("/images").text
    assert ("shop" in shown, "secret" in shown) == (True, False)
    assert "No pictures yet" in client.get("/images", headers={"X-Rights": "none"}).text


def test_links_carry_the_path_of_airflows_own_address(app: FastAPI, reported: Reported) -> None:
    reported["shop", RUN] = [report(image("file:///p/a.png"))]
    with TestClient(app, root_path="/airflow/claid", headers={"X-Rights": "read"}) as client:
        shown = client.get(OF_RUN).text
    assert 'href="/airflow/claid/static/gallery.css' in shown
    assert 'src="/airflow/claid/images/dags/shop/' in shown
