"""Whatever a server repeats, no secret comes out: not in logs at any level, not in errors and those behind them."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import pytest

from airflow_claid.client import AIEditRequest, ClaidClient, ClaidError, StorageIn
from tests.support.secret_forms import FORMS, gives_away
from tests.support.socket_server import Caller, SocketServer, answer
from tests.unit.client.conftest import ClientOf

KEY = "cl-0123456789-never-to-be-seen"
PROXY_PASSWORD = "Pr0xy:pass-word/of%the+company"
STORAGE_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"
SECRETS = (KEY, PROXY_PASSWORD, STORAGE_SECRET)

ERROR = b'{"error_message": "no"}'


def error_body(**facts: object) -> bytes:
    return json.dumps({"error_message": "no", **facts}).encode()


def job_body(**facts: object) -> bytes:
    return json.dumps({"data": {"id": 7, "status": "DONE", **facts}}).encode()


def made(**facts: object) -> bytes:
    return job_body(result={"input_object": {}, "output_objects": [facts]})


PLACES: dict[str, Callable[[str], bytes]] = {
    "request id": lambda said: answer(ERROR, "422 No", f"x-request-id: {said}"),
    "request id of a success": lambda said: answer(job_body(), "200 OK", f"x-request-id: {said}"),
    "reason": lambda said: answer(ERROR, f"500 {said}"),
    "status line": lambda said: f"HTTP/{said} garbage\r\n\r\n".encode(),
    "no status line": lambda said: f"{said}\r\n\r\n".encode(),
    "status": lambda said: f"HTTP/1.1 {said} OK\r\n\r\n".encode(),
    "chunk size": lambda said: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{said}\r\n{{}}\r\n".encode(),
    "header without a colon": lambda said: answer(ERROR, "500 No", f"{said.replace(':', ' ')} and more"),
    "length": lambda said: f"HTTP/1.1 500 No\r\nContent-Length: {said}\r\n\r\n".encode(),
    "two lengths": lambda said: answer(ERROR, "200 OK", f"Content-Length: {said}"),
    "encoding": lambda said: answer(ERROR, "422 No", f"Content-Encoding: gzip; {said}", f"Content-Type: {said}"),
    "address of a redirect": lambda said: answer(b"", "302 Found", f"Location: http://h/{said}"),
    "quota": lambda said: answer(job_body(), "200 OK", f"RateLimit-Limit: {said};w={said}", f"Retry-After: {said}"),
    "message": lambda said: answer(error_body(error_message=said), "403 No"),
    "code and type": lambda said: answer(error_body(error_code=said, error_type=said), "409 No"),
    "details": lambda said: answer(error_body(error_details={said: [said, {said: said}]}), "422 No"),
    "details of FastAPI": lambda said: answer(
        json.dumps({"detail": [{"loc": [said, 1], "msg": said, "input": said}]}).encode(), "422 No"
    ),
    "page": lambda said: answer(f"<html><pre>{said}</pre> <a href='{said}'>x</a></html>".encode(), "502 No"),
    "no JSON": lambda said: answer(f"{said} {{".encode()),
    "state": lambda said: answer(job_body(status=said)),
    "error of a job": lambda said: answer(job_body(status="ERROR", errors=[{"error": said}])),
    "picture": lambda said: answer(
        made(tmp_url=f"https://dl.claid.ai/{said}.png", mime=said, format=said, object_key=said)
    ),
    "id": lambda said: answer(json.dumps({"data": {"id": said}}).encode()),
}


@pytest.fixture
def through_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[SocketServer], None]:
    def use(server: SocketServer) -> None:
        host = urlsplit(server.url).netloc
        monkeypatch.setenv("http_proxy", f"http://user:{quote(PROXY_PASSWORD, safe='')}@{host}")

    return use


def all_told(error: BaseException) -> str:
    """All texts of an error and of those behind it, with the traceback that a log would show."""
    texts = ["".join(traceback.format_exception(error))]
    behind: list[BaseException | None] = [error]
    for one in behind:
        if one is not None and len(behind) < 100:
            texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
            behind += [one.__cause__, one.__context__]
    return "\n".join(texts)


def calls(client: ClaidClient) -> list[Callable[[], object]]:
    storage = StorageIn.of_bucket("shop", bucket="b", access_key="a", secret_access_key=STORAGE_SECRET)
    return [
        lambda: client.create_storage(storage),
        lambda: client.submit_ai_edit(AIEditRequest.of("https://h.example/a.png", {"prompt": "Make it green"})),
        lambda: client.get_ai_edit(7),
    ]


@pytest.mark.parametrize("place", PLACES)
def test_no_place_of_an_answer_brings_a_secret_out(
    place: str,
    client_of: ClientOf,
    through_proxy: Callable[[SocketServer], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said = b""

    def talk(caller: Caller) -> None:
        if caller.request() is not None:
            caller.say(said)

    with SocketServer(talk) as server:
        through_proxy(server)
        client = client_of("http://claid.invalid", KEY, max_wait=0, read_timeout=5)
        for form in FORMS.values():
            said = PLACES[place](" ".join(form(secret) for secret in SECRETS))
            caplog.clear()
            told: list[str] = []
            for call in calls(client):
                try:
                    told.append(repr(call()))
                except ClaidError as error:
                    told.append(all_told(error))
            told += [f"{one.getMessage()} {one.args} {one.exc_text}" for one in caplog.records]
            assert any("urllib3" in one.name for one in caplog.records)
            for hidden in SECRETS:
                assert not gives_away("\n".join([*told, caplog.text]), hidden), told
