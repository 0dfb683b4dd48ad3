from __future__ import annotations

from pathlib import Path

import pytest
import requests
from airflow.sdk import ObjectStoragePath

from airflow_claid.client import ClaidClient, ClaidMissingConnectionError, ClaidValidationError
from airflow_claid.errors import DownloadFailedError, LinkNotAllowedError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.object_storage import write_whole
from airflow_claid.waiting import arrivals as module
from airflow_claid.waiting.arrivals import Arrivals
from airflow_claid.waiting.pictures import Poll, Watch
from tests.conftest import Connect
from tests.support.dialects import SIGN_IN, redirect
from tests.support.pictures import noise, picture
from tests.support.scripted_server import Reply, ScriptedServer

GOOD, BLACK = noise(), picture(1024, 1024, "black")


def arrivals(output: str, *, recursive: bool = False) -> Arrivals:
    return Arrivals(Watch.of(output, recursive=recursive), ClaidHook())


@pytest.fixture
def account(sandbox: Sandbox, connect: Connect) -> Sandbox:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    return sandbox


@pytest.fixture(params=["local", "s3", "gcs"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file://{tmp_path}" if request.param == "local" else str(request.getfixturevalue(request.param))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the files that were judged, one after the other."""
    sizes: list[int] = []
    judge = module.judge

    def counted(size: int, *rest: object) -> object:
        sizes.append(size)
        return judge(size, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "judge", counted)
    return sizes


def fill(root: str) -> None:
    for name, content in {
        "b ü%20#.png": GOOD,
        "a.jpg": noise(kind="JPEG"),
        "large": noise(300, 300),
        "black.png": BLACK,
        "half.png": GOOD[:900],
        "empty.png": b"",
        "list.json": b"{}",
        ".hidden.png": GOOD,
        "c.png.partial": GOOD,
        "_claid/receipt.png": GOOD,
        "sub/d.png": GOOD,
        "sub/_claid/e.png": GOOD,
        "sub/.tmp/f.png": GOOD,
        "sub/deep/g.png": BLACK,
    }.items():
        write_whole(f"{root}/{name}", content)


def test_a_folder_that_is_not_there_holds_nothing(root: str) -> None:
    for recursive in (False, True):
        assert arrivals(f"{root}/none/", recursive=recursive).poll() == Poll()


def test_in_a_folder_only_good_pictures_count(root: str) -> None:
    fill(f"{root}/pictures")
    names = ("a.jpg", "b ü%20#.png", "large")
    poll = arrivals(f"{root}/pictures/").poll()
    assert poll == Poll(tuple(f"{root}/pictures/{name}" for name in names), blocked=1, unfinished=2, others=1)
    assert ObjectStoragePath(poll.usable[0]).exists()
    below = arrivals(f"{root}/pictures", recursive=True).poll()
    assert below.usable == (*poll.usable, f"{root}/pictures/sub/d.png")
    assert (below.blocked, below.unfinished, below.others) == (2, 2, 1)


def test_the_neighbours_of_a_folder_do_not_count(root: str) -> None:
    for name in ("a/1.png", "ab/2.png", "a.png"):
        write_whole(f"{root}/pictures/{name}", GOOD)
    for recursive in (False, True):
        assert arrivals(f"{root}/pictures/a/", recursive=recursive).poll().usable == (f"{root}/pictures/a/1.png",)


def test_one_file_is_waited_for(root: str) -> None:
    path = f"{root}/pictures/a.png"
    watched = arrivals(path)
    assert watched.poll() == Poll()
    write_whole(path, GOOD[:700])
    assert watched.poll() == Poll(unfinished=1)
    write_whole(path, BLACK)
    assert watched.poll() == Poll(blocked=1)
    write_whole(path, GOOD)
    assert watched.poll() == Poll((path,))


def test_a_file_is_judged_once_until_it_is_written_anew(root: str, judged: list[int]) -> None:
    write_whole(f"{root}/a.png", GOOD)
    write_whole(f"{root}/b.png", BLACK)
    for recursive in (False, True):
        judged.clear()
        watched = arrivals(f"{root}/", recursive=recursive)
        assert watched.poll() == watched.poll() == watched.poll()
        assert sorted(judged) == sorted([len(GOOD), len(BLACK)])
        write_whole(f"{root}/b.png", noise(65))
        assert len(watched.poll().usable) == 2
        assert judged[2:] == [len(noise(65))]
        write_whole(f"{root}/b.png", BLACK)


def test_a_poll_that_failed_half_way_keeps_what_it_judged(
    judged: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(GOOD)
    watched = arrivals(f"file://{tmp_path}/")
    reader = module.reader

    def failing(uri: str) -> object:
        if uri.endswith("c.png"):
            raise TimeoutError("slow")
        return reader(uri)

    monkeypatch.setattr(module, "reader", failing)
    with pytest.raises(TimeoutError):
        watched.poll()
    monkeypatch.setattr(module, "reader", reader)
    assert len(watched.poll().usable) == 3
    assert len(judged) == 3


def test_a_file_that_goes_during_the_poll_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(GOOD)
    reader = module.reader

    def vanishing(uri: str) -> object:
        (tmp_path / "a.png").unlink()
        return reader(uri)

    monkeypatch.setattr(module, "reader", vanishing)
    assert arrivals(f"file://{tmp_path}/").poll() == Poll()


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(GOOD)

    def refuse(path: str) -> object:
        raise PermissionError(path)

    monkeypatch.setattr("os.scandir", refuse)
    for recursive in (False, True):
        with pytest.raises(PermissionError):
            arrivals(f"file://{tmp_path}/", recursive=recursive).poll()


def test_a_bucket_that_cannot_be_reached_is_not_an_empty_one(connect: Connect) -> None:
    extra = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    connect("nowhere", conn_type="aws", login="a", password="b", extra=extra)
    for recursive in (False, True):
        with pytest.raises(Exception, match="Could not connect"):
            arrivals("s3://nowhere@shop/a/", recursive=recursive).poll()


def test_a_scheme_without_a_provider_is_refused_with_the_remedy() -> None:
    with pytest.raises(ClaidValidationError, match="no storage for 'wasb'"):
        arrivals("wasb://shop/a/").poll()


def test_a_bucket_whose_connection_airflow_does_not_have_is_refused_with_the_remedy() -> None:
    for output in ("gs://nobody_knows@shop/a/", "gs://nobody_knows@shop/a.png"):
        with pytest.raises(ClaidMissingConnectionError, match=r"gs://nobody_knows@shop/a.*Define it"):
            arrivals(output).poll()


def test_object_storage_needs_no_connection_to_claid(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(GOOD)
    assert arrivals(f"file://{tmp_path}/").poll().usable == (f"file://{tmp_path}/a.png",)


@pytest.mark.parametrize("place", ["local", "s3"])
def test_a_connected_storage_is_polled_through_the_mapped_connection(
    place: str, account: Sandbox, claid: ClaidClient, connect: Connect, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if place == "local":
        account.connect_storage("shop", bucket="pictures", path="catalogue", where=tmp_path)
        target = f"file://{tmp_path}"
    else:
        bucket = request.getfixturevalue("s3").partition("@")[2]
        account.connect_storage("shop", bucket=bucket, path="catalogue", where=request.getfixturevalue("s3_endpoint"))
        target = "moto"
    extra = {"storages": {"shop": target}}
    connect("claid_default", conn_type="claid", password=account.api_key, host=account.url, extra=extra)
    result = claid.generate_image("A linen sofa", output="storage://shop/spring%20ü/", number_of_images=2)
    claid.generate_image("nude portrait", output="storage://shop/spring%20ü/")
    written = {image.claid_storage_uri.rpartition("/")[2] for image in result.output if image.claid_storage_uri}
    for output, recursive in (("storage://shop/spring%20ü/", False), ("storage://shop/spring%20ü/", True)):
        poll = arrivals(output, recursive=recursive).poll()
        assert poll == Poll(tuple(sorted(output + name for name in written)), blocked=1)
    below = arrivals("storage://shop/", recursive=True).poll()
    assert below.usable == tuple(sorted(f"storage://shop/spring%20%C3%BC/{name}" for name in written))
    one = f"storage://shop/spring%20ü/{min(written)}"
    assert arrivals(one).poll() == Poll((one,))
    claid.edit_image(below.usable[0], {"resizing": {"width": 9}})


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("shop", r'is not mapped: put {"storages": {"shop": "ID"}} into the extra .* reaches the bucket \'pictures\''),
        ("shoop", r"is not one of the account \(it has: shop, web\)"),
        ("web", "is a web folder"),
    ],
)
def test_a_connected_storage_that_airflow_cannot_read_is_refused_with_the_remedy(
    name: str, problem: str, account: Sandbox
) -> None:
    account.connect_storage("shop", bucket="pictures")
    account.connect_storage("web", bucket="https://shop.example", type="web_folder")
    with pytest.raises(ClaidValidationError, match=problem):
        arrivals(f"storage://{name}/a/").poll()
    with pytest.raises(ClaidValidationError, match=problem):
        arrivals(f"storage://{name}/a.png").poll()


def test_a_key_that_may_not_see_storages_is_told_so(account: Sandbox, connect: Connect) -> None:
    account.add_key("pictures-only-key", scopes={"image_editing"})
    connect("claid_default", conn_type="claid", password="pictures-only-key", host=account.url)
    with pytest.raises(ClaidValidationError, match=r"give the API key the scope 'Storage' \(or 'Admin'\)"):
        arrivals("storage://shop/a/").poll()


def test_a_link_is_polled_by_the_rules_of_downloads(account: Sandbox, claid: ClaidClient) -> None:
    good = claid.generate_image("A linen sofa").output[0].tmp_url or ""
    black = claid.generate_image("nude portrait").output[0].tmp_url or ""
    assert arrivals(good).poll() == Poll((good,))
    assert arrivals(black).poll() == Poll(blocked=1)
    assert arrivals(f"{account.url}/tmp/none/none_1.png").poll() == Poll()
    account.dialect(**SIGN_IN)
    assert arrivals(good).poll() == Poll(others=1)
    account.dialect(**redirect("http://127.0.0.1:9/"))
    assert arrivals(good).poll() == Poll(others=1)
    account.fault("truncated", operation="download", probability=1.0)
    with pytest.raises(DownloadFailedError):
        arrivals(good).poll()
    with pytest.raises(LinkNotAllowedError, match="not on the list"):
        arrivals("https://elsewhere.example/a.png").poll()
    with pytest.raises(LinkNotAllowedError, match="not on the list"):
        arrivals("http://elsewhere.example/a.png").poll()


def test_half_a_picture_at_a_link_does_not_count(scripted: ScriptedServer, connect: Connect) -> None:
    connect("claid_default", conn_type="claid", password="some-key", host=scripted.url)
    link = f"{scripted.url}/a.png"
    watched = arrivals(link)
    for content, expected in (
        (GOOD[:900], Poll(unfinished=1)),
        (b"text", Poll(others=1)),
        (b"", Poll(unfinished=1)),
        (GOOD, Poll((link,))),
    ):
        scripted.replies(Reply(200, content, {"Content-Type": "image/png"}))
        assert watched.poll() == expected
    assert all("Authorization" not in request.headers for request in scripted.received)
    assert requests.get(link, timeout=5).content == GOOD


@pytest.mark.parametrize("written", ["50% off", "50%25%20off"])
def test_what_claid_writes_is_seen_whether_it_decodes_paths_or_not(
    written: str, account: Sandbox, connect: Connect, tmp_path: Path
) -> None:
    account.connect_storage("shop", bucket="pictures", where=tmp_path)
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=account.api_key, host=account.url, extra=extra)
    (tmp_path / written).mkdir()
    (tmp_path / written / "a.png").write_bytes(GOOD)
    for output in ("storage://shop/50% off/", "storage://shop/50%25%20off/a.png"):
        assert len(arrivals(output).poll().usable) == 1
