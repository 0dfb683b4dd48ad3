"""What the sandbox posts when a job ends, and that a receiver who fails disturbs nothing."""

from __future__ import annotations

import hashlib
import hmac
import logging
import socket
import threading
import time
from collections.abc import Callable

import pytest
import requests

from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.__main__ import read_settings
from tests.support.processes import free_port
from tests.support.sandbox_client import Client
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.submissions import EDIT, SUBMISSIONS, Submission

pytestmark = pytest.mark.usefixtures("address")
SECRET = "a secret with an umlaut: ü"


@pytest.fixture
def receiver(sandbox: Sandbox, scripted: ScriptedServer) -> ScriptedServer:
    """Who is told when a job ends."""
    scripted.replies(Reply(204))
    sandbox.change(webhook_url=f"{scripted.url}/hook?shop=1", webhook_secret=SECRET)
    return scripted


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


@pytest.mark.parametrize("submission", SUBMISSIONS, ids=lambda one: one.operation)
@pytest.mark.parametrize(("fault", "status"), [(None, "DONE"), ("job_error", "ERROR")])
def test_the_answer_of_a_job_that_ends_is_posted_and_signed(
    client: Client, sandbox: Sandbox, receiver: ScriptedServer, submission: Submission, fault: str | None, status: str
) -> None:
    if fault:
        sandbox.fault(fault)
    job = submission.send(client)
    until(lambda: receiver.received)
    (posted,) = receiver.received
    polled = client.call("GET", f"{submission.path}/{job['id']}")
    assert polled.json()["data"]["status"] == status
    assert (posted.method, posted.path, posted.body) == ("POST", "/hook?shop=1", polled.content)
    assert posted.headers["Content-Type"] == "application/json"
    expected = hmac.new(SECRET.encode(), polled.content, hashlib.sha256).hexdigest()
    assert posted.headers["X-Claid-Hmac-SHA256"] == expected


def test_without_a_secret_nothing_is_signed(client: Client, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    sandbox.change(webhook_secret=None)
    EDIT.send(client)
    until(lambda: receiver.received)
    assert not any("hmac" in name.lower() for name in receiver.received[0].headers)


def test_only_an_end_is_told(client: Client, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    sandbox.fault("job_status", status="PAUSED")
    EDIT.send(client)
    sandbox.fault("job_status", status="CANCELLED")
    EDIT.send(client)
    EDIT.send(client)
    until(lambda: len(receiver.received) == 2)
    told = [posted.json()["data"]["status"] for posted in receiver.received]
    assert sorted(told) == ["CANCELLED", "DONE"]


def test_a_webhook_is_set_and_taken_back_over_http(client: Client, sandbox: Sandbox, scripted: ScriptedServer) -> None:
    scripted.replies(Reply())
    settings = f"{sandbox.url}/sandbox/settings"
    body = {"webhook_url": scripted.url, "webhook_secret": "s"}
    answer = requests.put(settings, json=body, timeout=10)
    assert answer.json() == {"changed": ["webhook_secret", "webhook_url"]}
    EDIT.send(client)
    until(lambda: scripted.received)
    assert scripted.received[0].path == "/"
    assert requests.put(settings, json={"webhook_url": ""}, timeout=10).ok
    client.wait(EDIT.path, EDIT.send(client))
    assert requests.put(settings, json=body, timeout=10).ok
    EDIT.send(client)
    until(lambda: len(scripted.received) == 2)


@pytest.mark.parametrize("url", ["ftp://example.com/", "example.com/hook", "http:///hook", "http://host:port/"])
def test_an_address_that_makes_no_sense_is_refused(
    sandbox: Sandbox, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        SandboxSettings(webhook_url=url)
    body = {"webhook_url": url}
    assert requests.put(f"{sandbox.url}/sandbox/settings", json=body, timeout=10).status_code == 422
    assert sandbox.service.settings.webhook_url is None
    with pytest.raises(SystemExit):
        read_settings([f"--webhook-url={url}"])
    assert "--webhook-url" in capsys.readouterr().err


def test_the_command_line_sets_a_webhook_and_the_secret_is_not_shown() -> None:
    settings = read_settings(["--webhook-url=https://example.com/hook", "--webhook-secret=open sesame"])
    assert (settings.webhook_url, settings.webhook_secret) == ("https://example.com/hook", "open sesame")
    assert "sesame" not in repr(settings)


@pytest.mark.parametrize("reply", [None, Reply(500), Reply(302, headers={"Location": "/there"}), Reply(cut=True)])
def test_a_webhook_that_cannot_be_delivered_is_one_line_in_the_log_and_no_more(
    client: Client,
    sandbox: Sandbox,
    scripted: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
    reply: Reply | None,
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    if reply:
        scripted.replies(reply)
        url = scripted.url
    sandbox.change(webhook_url=f"{url}/hook?token=open-sesame", webhook_secret=SECRET)
    with caplog.at_level(logging.WARNING, "airflow_claid.sandbox"):
        job = EDIT.send(client)
        until(lambda: caplog.records)
    assert client.wait(EDIT.path, job)["status"] == "DONE"
    assert len(scripted.received) == (1 if reply else 0)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"The webhook of job {job['id']} was not delivered to 127.0.0.1: ")
    assert "sesame" not in line
    assert "secret" not in line


def test_a_job_of_an_earlier_life_tells_nobody(client: Client, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    sandbox.change(job_seconds=10_000)
    EDIT.send(client)
    hook = sandbox.service.settings.webhook_url
    sandbox.reset()
    sandbox.change(webhook_url=hook)
    address = client.picture_address()
    sandbox.advance(10_000)
    edit = Submission(EDIT.operation, EDIT.path, {"input": address, "operations": {}})
    job = edit.send(client)
    until(lambda: receiver.received)
    assert [posted.json()["data"]["id"] for posted in receiver.received] == [job["id"]]


def test_a_receiver_that_never_answers_holds_up_neither_requests_nor_the_end() -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = SandboxSettings(quota="", job_seconds=0.0, webhook_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        sandbox = Sandbox(settings).start()
        try:
            client = Client(sandbox)
            edit = Submission(EDIT.operation, EDIT.path, {"input": client.picture_address(), "operations": {}})
            jobs = [edit.send(client) for _ in range(6)]
            silent.settimeout(10)
            taken = [silent.accept()[0] for _ in range(4)]
            assert [client.wait(edit.path, job)["status"] for job in jobs] == ["DONE"] * 6
        finally:
            begun = time.monotonic()
            sandbox.stop()
        assert time.monotonic() - begun < 8
        for one in taken:
            one.close()
    assert not [one.name for one in set(threading.enumerate()) - before if one.name.startswith("claid-sandbox")]
