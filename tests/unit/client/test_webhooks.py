"""Webhooks posted by a sandbox to a receiver: who is believed, and what is read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.client import ClaidClient, ClaidWebhookError, Job, JobKind, JobOutcome, job_from_webhook
from airflow_claid.client.models import jobs
from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, png
from tests.support.scripted_server import Received, Reply, ScriptedServer
from tests.support.submissions import SUBMISSIONS, Submission

SECRET = "correct horse battery staple"
HEADER = "X-Claid-Hmac-SHA256"
BODY = b'{"data": {"id": 7, "status": "DONE", "created_at": "2026-10-01T08:00:00+00:00", "request": {}}}'
KINDS = [pytest.param(JobKind(one.operation.removeprefix("submit_")), one, id=one.operation) for one in SUBMISSIONS]


def signed(body: bytes, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


@pytest.fixture
def receiver(sandbox: Sandbox, scripted: ScriptedServer, tmp_path: Path) -> ScriptedServer:
    """Who is told when a job of the sandbox ends; the jobs' input is there."""
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "photo.png").write_bytes(png())
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path / "bucket")
    scripted.replies(Reply(204))
    sandbox.change(webhook_url=scripted.url, webhook_secret=SECRET)
    return scripted


def delivered(receiver: ScriptedServer) -> Received:
    deadline = time.monotonic() + 10
    while not receiver.received:
        assert time.monotonic() < deadline, "no webhook came"
        time.sleep(0.01)
    return receiver.received[0]


@pytest.mark.parametrize(("kind", "submission"), KINDS)
@pytest.mark.parametrize("fault", [None, "job_error"])
def test_a_webhook_gives_the_job_that_a_poll_gives(
    sandbox: Sandbox,
    claid: ClaidClient,
    receiver: ScriptedServer,
    kind: JobKind,
    submission: Submission,
    fault: str | None,
) -> None:
    if fault:
        sandbox.fault(fault)
    submitted = submission.send(Client(sandbox))
    told = delivered(receiver)
    job = job_from_webhook(told.body, told.headers[HEADER], SECRET, kind)
    polled = claid.get_job(kind, submitted["id"])
    assert job == polled.model_copy(update={"request_id": None})
    assert job.kind is kind
    assert job.outcome is (JobOutcome.FAILED if fault else JobOutcome.DONE)
    assert bool(job.outputs) is (fault is None)

    for body, signature, secret in (
        (told.body, told.headers[HEADER], "another secret"),
        (told.body.replace(b'"id":', b'"id": '), told.headers[HEADER], SECRET),
        (told.body, None, SECRET),
    ):
        with pytest.raises(ClaidWebhookError):
            job_from_webhook(body, signature, secret, kind)


@pytest.mark.parametrize("before", ["", "sha256=", "  "])
@pytest.mark.parametrize("form", ["hex", "HEX", "base64"])
def test_hex_and_base64_are_taken(form: str, before: str) -> None:
    digest = signed(BODY)
    written = {"hex": digest.hex(), "HEX": digest.hex().upper(), "base64": base64.b64encode(digest).decode()}[form]
    assert job_from_webhook(BODY, before + written, SECRET, JobKind.VIDEO) == Job.of(
        JobKind.VIDEO, json.loads(BODY)["data"]
    )


@pytest.mark.parametrize(
    ("body", "signature", "secret", "said"),
    [
        (BODY, None, SECRET, "no signature"),
        (BODY, "", SECRET, "no signature"),
        (BODY, "  ", SECRET, "no signature"),
        (BODY, "sha256=", SECRET, "not an HMAC-SHA256"),
        (BODY, "ünïcode", SECRET, "not an HMAC-SHA256"),
        (BODY, signed(BODY).hex()[:-1], SECRET, "not an HMAC-SHA256"),
        (BODY, signed(BODY).hex() + "00", SECRET, "not an HMAC-SHA256"),
        (BODY, signed(BODY, "other").hex(), SECRET, "is wrong"),
        (BODY, base64.b64encode(signed(BODY, "other")).decode(), SECRET, "is wrong"),
        (BODY + b" ", signed(BODY).hex(), SECRET, "is wrong"),
        (b"", signed(BODY).hex(), SECRET, "is wrong"),
        (BODY, signed(BODY, "").hex(), "", "secret is empty"),
    ],
)
def test_what_is_not_signed_with_the_secret_is_refused_before_it_is_parsed(
    body: bytes, signature: str | None, secret: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(*_: Any) -> None:
        raise AssertionError("the body was parsed")

    monkeypatch.setattr(json, "loads", parsed)
    monkeypatch.setattr(jobs.Job, "of", parsed)
    with pytest.raises(ClaidWebhookError, match=said) as caught:
        job_from_webhook(body, signature, secret, JobKind.EDIT)
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__} {caught.value.__context__}"
    right = signed(body)
    for hidden in (SECRET, right.hex(), base64.b64encode(right).decode()):
        assert hidden not in shown


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"null", b'{"data": 5}', b'{"data": {"status": "DONE"}}', b"[" * 100_000, b'{"error": "x"}'],
)
def test_a_rightly_signed_body_that_is_no_job_is_refused_without_showing_it(body: bytes) -> None:
    with pytest.raises(ClaidWebhookError, match="does not hold a job") as caught:
        job_from_webhook(body, signed(body).hex(), SECRET, JobKind.EDIT)
    assert SECRET not in str(caught.value)
    assert not caught.value.may_have_been_charged


def test_of_all_comparisons_the_one_in_constant_time_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append((given, right))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    with pytest.raises(ClaidWebhookError):
        job_from_webhook(BODY, signed(BODY).hex(), SECRET, JobKind.EDIT)
    assert compared == [(signed(BODY), signed(BODY))]
