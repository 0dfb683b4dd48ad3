"""The key is shown nowhere and goes nowhere but to the base URL's own host."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import pytest
import requests

from airflow_claid.client import ClaidClient, ClaidError
from airflow_claid.client.transport import BearerKey
from airflow_claid.sandbox import Sandbox
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer, as_json
from tests.unit.client.conftest import ClientOf

KEY = "cl-0123456789-never-to-be-seen"
GENERATED = as_json({"data": {"output": [{"tmp_url": "https://dl.claid.ai/a.png"}]}})


def everything_told(error: BaseException) -> str:
    """All texts of an error and of those behind it, with the traceback that a log would show."""
    texts = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        texts += [str(behind), repr(behind), repr(behind.args), repr(vars(behind))]
        behind = behind.__cause__ or behind.__context__
    return "\n".join(texts)


def all_errors(client_of: ClientOf, scripted: ScriptedServer) -> list[ClaidError]:
    """One error of each kind, raised for this key."""
    replies = [
        *(
            as_json({"error_message": "no", "error_code": "1"}, status)
            for status in (400, 401, 402, 403, 404, 422, 500)
        ),
        Reply(429),
        Reply(502, b"<html>"),
        Reply(302, headers={"Location": "https://elsewhere.example/"}),
        Reply(200, b'{"da'),
        Reply(200, b'{"data": 1}', {"Content-Type": "application/json"}),
        Reply(200, b"{}", length=50),
        Reply(cut=True),
    ]
    errors: list[ClaidError] = []
    for reply in replies:
        scripted.replies(reply)
        errors.append(error_of(client_of(scripted.url, KEY, max_wait=0)))
    errors.append(error_of(client_of(f"http://127.0.0.1:{free_port()}", KEY)))
    errors.append(error_of(client_of("http://claid.invalid", KEY)))
    return errors


def error_of(client: ClaidClient) -> ClaidError:
    with pytest.raises(ClaidError) as caught:
        client.generate_image("a red bicycle")
    return caught.value


def test_no_error_shows_the_key_nor_those_behind_it(client_of: ClientOf, scripted: ScriptedServer) -> None:
    errors = all_errors(client_of, scripted)
    assert len({type(error) for error in errors}) == 9
    for error in errors:
        assert KEY not in everything_told(error)
        assert "Bearer" not in everything_told(error)


def test_no_log_shows_the_key_at_any_level_of_any_logger(
    client_of: ClientOf, scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for name in ("urllib3", "requests", "airflow_claid"):
            caplog.set_level(logging.DEBUG, name)
        all_errors(client_of, scripted)
        scripted.replies(GENERATED)
        client_of(scripted.url, KEY).generate_image("a red bicycle")
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    told = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    assert KEY not in told
    assert "Bearer" not in told


def test_no_representation_shows_the_key(client_of: ClientOf, scripted: ScriptedServer) -> None:
    client = client_of(scripted.url, KEY)
    transport = client._transport
    shown = (
        f"{client!r} {client!s} {transport!r} {transport!s} {transport.auth!r} {transport.auth!s} {transport.quota!r}"
    )
    assert KEY not in shown
    assert scripted.url in shown


def test_the_key_is_sent_to_the_base_url_with_each_request(client_of: ClientOf, scripted: ScriptedServer) -> None:
    scripted.replies(GENERATED)
    client_of(scripted.url, f" {KEY}\n").generate_image("a red bicycle")
    [request] = scripted.received
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["User-Agent"].startswith("airflow-claid/")
    assert KEY not in request.path
    assert KEY.encode() not in request.body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_key_nowhere(client_of: ClientOf, scripted: ScriptedServer, status: int) -> None:
    with ScriptedServer() as elsewhere:
        elsewhere.replies(GENERATED)
        scripted.replies(Reply(status, headers={"Location": f"{elsewhere.url}/v1/image/generate"}))
        client = client_of(scripted.url, KEY)
        for call in (lambda: client.generate_image("a red bicycle"), lambda: client.get_edit(1)):
            with pytest.raises(ClaidError):
                call()
        assert elsewhere.received == []
    assert len(scripted.received) == 2


def test_a_result_url_is_not_followed_with_the_key(client_of: ClientOf, scripted: ScriptedServer) -> None:
    with ScriptedServer() as elsewhere:
        job = {"id": 7, "status": "ACCEPTED", "result_url": f"{elsewhere.url}/v1/image/edit/async/7"}
        scripted.replies(as_json({"data": job}))
        client = client_of(scripted.url, KEY)
        submitted = client.submit_edit("https://shop.example/a.png", {"resizing": {"width": 9}})
        client.get_edit(submitted.id)
        assert elsewhere.received == []
    assert "result_url" not in type(submitted).model_fields
    assert len(scripted.received) == 2


@pytest.mark.parametrize(
    "address",
    [
        "https://api.claid.ai.evil.example/v1/image/generate",
        "http://api.claid.ai/v1/image/generate",
        "https://api.claid.ai:8443/v1/image/generate",
        "https://dl.claid.ai/a.png",
        "https://evil.example/?https://api.claid.ai/v1/",
    ],
)
def test_the_key_is_put_on_no_request_to_another_origin(address: str) -> None:
    auth = BearerKey(KEY, "https://api.claid.ai/v1")
    assert "Authorization" not in auth(requests.Request("GET", address).prepare()).headers
    own = auth(requests.Request("GET", "https://api.claid.ai:443/v1/image/generate").prepare())
    assert own.headers["Authorization"] == f"Bearer {KEY}"


def test_a_netrc_file_does_not_replace_the_key(
    client_of: ClientOf, scripted: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin somebody\npassword else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert requests.utils.get_netrc_auth(scripted.url) == ("somebody", "else")
    scripted.replies(GENERATED)
    client_of(scripted.url, KEY).generate_image("a red bicycle")
    assert scripted.received[0].headers["Authorization"] == f"Bearer {KEY}"


def test_the_ledger_and_the_client_know_one_another_only_by_a_label(sandbox: Sandbox, client_of: ClientOf) -> None:
    sandbox.add_key(KEY)
    client_of(sandbox.url, KEY).generate_image("a red bicycle")
    assert KEY not in str(sandbox.ledger()[0])


@pytest.mark.parametrize("as_page", [False, True])
def test_a_server_that_repeats_what_it_was_sent_does_not_bring_the_key_into_the_error(
    as_page: bool, client_of: ClientOf, scripted: ScriptedServer
) -> None:
    said = f"no such scope for Bearer {KEY}"
    page = Reply(403, f"<html><pre>Authorization: Bearer {KEY}</pre> no such scope</html>".encode())
    scripted.replies(page if as_page else as_json({"error_message": said, "error_details": {"key": [KEY]}}, 403))
    error = error_of(client_of(scripted.url, KEY))
    assert "no such scope" in str(error)
    assert KEY not in everything_told(error)
