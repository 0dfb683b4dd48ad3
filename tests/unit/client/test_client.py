from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from airflow_claid.client import (
    Call,
    ClaidAnswerLostError,
    ClaidAnswerUnreadError,
    ClaidClient,
    ClaidError,
    ClaidValidationError,
    EditRequest,
    GenerateRequest,
    JobOutcome,
    UploadRequest,
)
from airflow_claid.client.quota.quota import Quota
from airflow_claid.client.session import Received
from airflow_claid.sandbox import Sandbox
from tests.support.scripted_server import ScriptedServer, as_json

PROMPT = "a red bicycle against a white wall"


def picture(width: int = 64, height: int = 48) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(target, "PNG")
    return target.getvalue()


@pytest.mark.usefixtures("full_size")
def test_generation_answers_with_links_to_pictures_of_1024_pixels(claid: ClaidClient, sandbox: Sandbox) -> None:
    result = claid.generate_image(PROMPT, number_of_images=2, guidance_scale=7.5)
    assert result.input.text == PROMPT
    assert [(image.width, image.height, image.mime) for image in result.output] == [(1024, 1024, "image/png")] * 2
    assert all((image.tmp_url or "").startswith(sandbox.url) for image in result.output)
    assert {image.object_uri for image in result.output} == {None}
    [entry] = sandbox.ledger()
    assert entry.request == {"input": PROMPT, "options": {"number_of_images": 2, "guidance_scale": 7.5}}
    assert result.request_id == entry.request_id
    assert sandbox.charged() == 2


def test_one_image_is_asked_for_unless_told_otherwise_though_claids_default_is_four(
    claid: ClaidClient, sandbox: Sandbox
) -> None:
    result = claid.generate_image(PROMPT)
    assert len(result.output) == 1
    assert sandbox.ledger()[0].request["options"]["number_of_images"] == 1
    assert sandbox.charged() == 1


def test_blanks_around_a_prompt_are_not_sent(claid: ClaidClient, sandbox: Sandbox) -> None:
    claid.generate_image(f"\n  {PROMPT}\t ")
    assert sandbox.ledger()[0].prompt == PROMPT


def test_generation_into_a_connected_storage_tells_where_the_pictures_are(
    claid: ClaidClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", path="catalogue", where=tmp_path)
    [image] = claid.generate_image(PROMPT, output="storage://shop/spring/").output
    assert not image.tmp_url
    assert image.object_bucket == "pictures"
    assert (image.claid_storage_uri or "").startswith("storage://shop/spring/")
    assert (tmp_path / (image.object_key or "")).read_bytes().startswith(b"\x89PNG")


def test_a_request_built_before_is_sent_as_it_is(claid: ClaidClient, sandbox: Sandbox) -> None:
    request = GenerateRequest.of(PROMPT, number_of_images=3)
    assert request.number_of_images == 3
    claid.generate_image(request)
    assert sandbox.ledger()[0].request == request.to_json()


@pytest.mark.usefixtures("full_size")
def test_an_edit_answers_with_the_edited_picture(claid: ClaidClient, sandbox: Sandbox) -> None:
    link = claid.generate_image(PROMPT).output[0].tmp_url or ""
    result = claid.edit_image(link, {"resizing": {"width": 200, "height": "auto", "fit": "bounds"}})
    assert (result.input.width, result.input.height) == (1024, 1024)
    assert (result.output.width, result.output.height, result.output.mime) == (200, 200, "image/jpeg")
    assert result.request_id == sandbox.ledger("edit_image")[0].request_id
    assert sandbox.charged() == 2


def test_an_edit_sends_only_what_was_set(claid: ClaidClient, sandbox: Sandbox) -> None:
    link = claid.generate_image(PROMPT).output[0].tmp_url or ""
    request = EditRequest.of(link, {"adjustments": {"hdr": 20, "exposure": None}}, {"format": "png"})
    claid.edit_image(request)
    assert sandbox.ledger("edit_image")[0].request == {
        "input": link,
        "operations": {"adjustments": {"hdr": 20}},
        "output": {"format": "png"},
    }


def test_a_submitted_edit_is_done_after_a_while(claid: ClaidClient, sandbox: Sandbox) -> None:
    sandbox.change(job_seconds=0.0)
    link = claid.generate_image(PROMPT).output[0].tmp_url or ""
    job = claid.submit_edit(link, {"resizing": {"width": 100}})
    assert job.status == "ACCEPTED"
    assert job.outcome is JobOutcome.PENDING
    assert job.outputs == ()
    for _ in range(1000):
        done = claid.get_edit(job.id)
        if done.outcome is not JobOutcome.PENDING:
            break
    assert done.outcome is JobOutcome.DONE
    assert len(done.outputs) == 1
    assert done.outputs[0].width == 100
    assert done.request_id != job.request_id


def test_a_failed_job_tells_why(claid: ClaidClient, sandbox: Sandbox) -> None:
    sandbox.change(job_seconds=0.0)
    job = claid.submit_edit("storage://nobody/a.png", {"resizing": {"width": 100}})
    for _ in range(1000):
        job = claid.get_edit(job.id)
        if job.outcome is not JobOutcome.PENDING:
            break
    assert job.outcome is JobOutcome.FAILED
    assert "nobody" in job.reasons


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("ACCEPTED", JobOutcome.PENDING),
        ("WAITING", JobOutcome.PENDING),
        ("PROCESSING", JobOutcome.PENDING),
        ("PAUSED", JobOutcome.PENDING),
        ("DONE", JobOutcome.DONE),
        ("ERROR", JobOutcome.FAILED),
        ("CANCELLED", JobOutcome.FAILED),
        ("SOMETHING_NEW", JobOutcome.UNKNOWN),
    ],
)
def test_each_status_has_its_meaning(
    told: ClaidClient, scripted: ScriptedServer, status: str, outcome: JobOutcome
) -> None:
    scripted.replies(as_json({"data": {"id": 7, "status": status, "errors": None, "result": {}}}))
    job = told.get_edit(7)
    assert job.outcome is outcome
    assert job.outputs == ()
    assert job.reasons == "Claid gave no reason"
    assert scripted.received[0].path == "/v1/image/edit/async/7"


def test_an_uploaded_picture_is_edited(claid: ClaidClient, sandbox: Sandbox) -> None:
    result = claid.upload_and_edit(
        picture(), {"resizing": {"width": "200%"}}, filename="té.png", output={"format": "png"}
    )
    assert (result.input.width, result.output.width, result.output.mime) == (64, 128, "image/png")
    [entry] = sandbox.ledger()
    assert entry.request == {
        "operations": {"resizing": {"width": "200%"}},
        "output": {"format": "png"},
    }
    assert entry.credits == 1


def test_an_upload_built_before_keeps_its_file_name(claid: ClaidClient, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    request = UploadRequest.of({"resizing": {"width": 32}}, "storage://shop/small/")
    result = claid.upload_and_edit(picture(), request, filename="chair.png")
    assert result.output.claid_storage_uri == "storage://shop/small/chair.jpeg"
    assert (tmp_path / "small" / "chair.jpeg").is_file()


def test_an_empty_file_is_not_sent(claid: ClaidClient, sandbox: Sandbox) -> None:
    with pytest.raises(ClaidValidationError, match=r"file='a\.png' is empty.*Nothing was sent"):
        claid.upload_and_edit(b"", {"resizing": {"width": 32}}, filename="a.png")
    assert sandbox.ledger() == []


def test_storages_are_listed_with_bucket_prefix_and_whether_they_can_be_written(
    claid: ClaidClient, sandbox: Sandbox
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", path="catalogue")
    sandbox.connect_storage("archive", bucket="old", type="gcs")
    number = sandbox.connect_storage("web", bucket="https://shop.example/pictures", type="web_folder")
    shop, archive, web = claid.list_storages()
    assert (shop.name, shop.type, shop.parameters.bucket, shop.parameters.path) == (
        "shop",
        "s3",
        "pictures",
        "catalogue",
    )
    assert (archive.type, archive.parameters.path) == ("gcs", "")
    assert [storage.writable for storage in (shop, archive, web)] == [True, True, False]
    alone = claid.get_storage(number)
    assert (alone.id, alone.name, alone.parameters.base_url) == (number, "web", "https://shop.example/pictures")
    assert claid.list_storage_types() == ["web_folder", "s3", "gcs"]
    assert sandbox.charged() == 0


@pytest.mark.parametrize("number", [True, "", None, "../../storage/storages"])
def test_an_id_that_is_no_number_is_not_sent(claid: ClaidClient, sandbox: Sandbox, number: object) -> None:
    with pytest.raises(ClaidValidationError, match="job_id="):
        claid.get_edit(number)  # type: ignore[arg-type]
    with pytest.raises(ClaidValidationError, match="storage_id="):
        claid.get_storage(number)  # type: ignore[arg-type]
    assert sandbox.ledger() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": []},
        [],
        "text",
        5,
        {"data": {"input": {}}},
        {"data": {"input": {}, "output": [{"width": "wide"}]}},
    ],
)
def test_a_paid_answer_without_a_picture_is_kept_and_was_charged(
    told: ClaidClient, scripted: ScriptedServer, body: object
) -> None:
    scripted.replies(as_json(body, x_request_id="r-1"))
    with pytest.raises(ClaidAnswerUnreadError, match="could not be read: it holds no link") as caught:
        told.generate_image(PROMPT)
    assert caught.value.may_have_been_charged
    assert caught.value.request_id == "r-1"
    assert json.loads(caught.value.answer.content) == body
    assert len(scripted.received) == 1


@pytest.mark.parametrize("body", [{"data": {"number": 1}}, {"storages": 1}, "text", {"data": 5}])
def test_a_list_of_another_shape_is_told(told: ClaidClient, scripted: ScriptedServer, body: object) -> None:
    scripted.replies(as_json(body))
    with pytest.raises(ClaidAnswerLostError, match="list_storages"):
        told.list_storages()


def test_what_claid_adds_to_an_answer_is_left_alone(told: ClaidClient, scripted: ScriptedServer) -> None:
    image = {"tmp_url": "https://dl.claid.ai/a.png", "new": {"deep": [1]}}
    scripted.replies(
        as_json({"data": {"input": {"text": PROMPT, "language": "en"}, "output": [image], "more": 1}, "x": 1})
    )
    assert told.generate_image(PROMPT).output[0].tmp_url == "https://dl.claid.ai/a.png"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://api.claid.ai", "https://api.claid.ai/v1"),
        (" https://api.claid.ai/ ", "https://api.claid.ai/v1"),
        ("https://api.claid.ai/v1", "https://api.claid.ai/v1"),
        ("https://api.claid.ai/v1/", "https://api.claid.ai/v1"),
        ("https://api.claid.ai/v1-beta1", "https://api.claid.ai/v1-beta1"),
        ("https://API.Claid.ai", "https://api.claid.ai/v1"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765/v1"),
        ("https://gateway.example/claid/", "https://gateway.example/claid/v1"),
    ],
)
def test_an_address_is_brought_into_one_form(given: str, base: str) -> None:
    client = ClaidClient("key", given)
    assert client.base_url == base
    assert repr(client) == f"ClaidClient(base_url={base!r})"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.claid.ai",
        "ftp://api.claid.ai",
        "https://",
        "https://user:password@api.claid.ai",
        "https://api.claid.ai?a=b",
        "http://host:99999",
        "http://host:port",
        "http://[::1",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClaidValidationError, match=r"base_url=.*not an address of the form https://HOST"):
        ClaidClient("key", address)


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_each_form_of_the_address_reaches_claid(sandbox: Sandbox, path: str) -> None:
    with ClaidClient(sandbox.api_key, sandbox.url + path, quota=Quota(())) as client:
        assert client.list_storages() == []


def test_clients_of_one_account_share_a_quota_and_those_of_others_do_not() -> None:
    one, same = ClaidClient("key", "https://api.claid.ai"), ClaidClient(" key\n", "https://api.claid.ai/v1/")
    assert one._transport.quota is same._transport.quota
    assert one._transport.quota is not ClaidClient("key", "http://127.0.0.1:8765")._transport.quota
    assert one._transport.quota is not ClaidClient("other")._transport.quota


def test_a_closed_client_can_still_be_used(sandbox: Sandbox) -> None:
    client = ClaidClient(sandbox.api_key, sandbox.url, quota=Quota(()))
    client.close()
    assert client.list_storage_types()


def test_who_listens_is_told_of_each_answer_without_the_key(sandbox: Sandbox) -> None:
    told: list[tuple[str, int, str]] = []

    def listen(call: Call, answer: Received, seconds: float) -> None:
        assert seconds > 0
        assert answer.headers["x-request-id"]
        told.append((call.operation, answer.status, answer.content.decode()))

    key = "key-of-the-shop-5e1f0c9b7d3a"
    sandbox.add_key(key)
    sandbox.dialect(operation="generate_image", values={"data.note": key})
    with ClaidClient(key, sandbox.url, quota=Quota(()), on_answer=listen) as client:
        client.generate_image("A linen sofa")
        with pytest.raises(ClaidError):
            client.get_edit(0)
    assert [(operation, status) for operation, status, _ in told] == [("generate_image", 200), ("get_edit", 404)]
    assert "A linen sofa" in told[0][2]
    assert key not in told[0][2]


def test_an_answer_is_not_lost_because_of_who_listens(sandbox: Sandbox) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    with ClaidClient(sandbox.api_key, sandbox.url, quota=Quota(()), on_answer=fail) as client:
        assert len(client.generate_image("A linen sofa").output) == 1
