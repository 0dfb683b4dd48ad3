from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path

import pytest

from airflow_claid.client import (
    ClaidAnswerLostError,
    ClaidAnswerUnreadError,
    ClaidClient,
    ClaidError,
    ClaidNotSentError,
    ClaidRateLimitError,
    ClaidServerError,
)
from airflow_claid.client.quota.quota import Quota
from airflow_claid.client.quota.rate_limits import Policy
from airflow_claid.client.quota.store import QuotaStore
from airflow_claid.sandbox import Sandbox
from tests.support.clock import Clock
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer, as_json
from tests.unit.client.conftest import ClientOf

JOB = as_json({"data": {"id": 7, "status": "DONE"}})
TOO_MANY = as_json(
    {"detail": {"error_code": "2001", "error_type": "general", "error_message": "Too many requests."}},
    429,
    RateLimit_Limit="4, 120;w=60, 4;w=1",
    RateLimit_Remaining="-1",
    RateLimit_Reset="1",
)


def test_a_refused_connection_is_tried_four_times_and_was_not_charged(client_of: ClientOf, clock: Clock) -> None:
    client = client_of(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ClaidNotSentError, match=r"could not reach http://127\.0\.0\.1.*Nothing was sent") as caught:
        client.generate_image("a red bicycle")
    assert not caught.value.may_have_been_charged
    assert caught.value.retryable
    assert len(clock.slept) == 3


def test_the_pauses_between_attempts_double_and_vary(client_of: ClientOf, clock: Clock) -> None:
    for _ in range(5):
        with pytest.raises(ClaidNotSentError):
            client_of(f"http://127.0.0.1:{free_port()}").generate_image("a red bicycle")
    rounds = [clock.slept[start : start + 3] for start in range(0, 15, 3)]
    for first, second, third in rounds:
        assert 0.5 <= first <= 1
        assert 1 <= second <= 2
        assert 2 <= third <= 4
    assert len({first for first, _, _ in rounds}) > 1


def test_a_name_that_nobody_has_is_never_reached(client_of: ClientOf, clock: Clock) -> None:
    with pytest.raises(ClaidNotSentError) as caught:
        client_of("http://claid.invalid").generate_image("a red bicycle")
    assert not caught.value.may_have_been_charged
    assert len(clock.slept) == 3


def test_attempts_end_with_the_longest_wait(client_of: ClientOf, clock: Clock) -> None:
    with pytest.raises(ClaidNotSentError):
        client_of(f"http://127.0.0.1:{free_port()}", max_wait=2).generate_image("a red bicycle")
    assert sum(clock.slept) <= 2
    assert 1 <= len(clock.slept) <= 2


def test_a_server_that_comes_up_between_attempts_is_reached(client_of: ClientOf, clock: Clock) -> None:
    port = free_port()
    client = client_of(f"http://127.0.0.1:{port}")
    with ScriptedServer() as server:
        server.replies(as_json({"data": ["s3"]}))

        def come_up(_: float) -> None:
            client._transport.base_url = f"{server.url}/v1"

        clock._also = come_up
        assert client.list_storage_types() == ["s3"]
    assert len(clock.slept) == 1


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """An https server whose certificate nobody vouches for; writes down nothing, for nothing may arrive."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                opened, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(opened, server_side=True).close()
            except OSError:
                opened.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_certificate_that_nobody_vouches_for_stops_the_request_before_it_is_sent(
    client_of: ClientOf, self_signed: str
) -> None:
    with pytest.raises(ClaidNotSentError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        client_of(self_signed).generate_image("a red bicycle")
    assert not caught.value.may_have_been_charged


@pytest.mark.parametrize("kind", ["cut", "500", "502"])
def test_a_post_whose_answer_is_lost_after_charging_is_sent_exactly_once(
    patient: ClaidClient, sandbox: Sandbox, clock: Clock, kind: str
) -> None:
    sandbox.fault(kind, operation="generate_image", charged=True)
    with pytest.raises(ClaidError) as caught:
        patient.generate_image("a red bicycle", number_of_images=2)
    error = caught.value
    assert isinstance(error, ClaidServerError if kind in ("500", "502") else ClaidAnswerLostError)
    assert error.may_have_been_charged
    assert error.retryable
    assert len(sandbox.ledger()) == 1
    assert sandbox.charged() == 2
    assert clock.slept == []


@pytest.mark.parametrize("kind", ["cut", "500", "502"])
def test_a_post_that_failed_before_charging_is_not_sent_again_either_for_nobody_can_know(
    patient: ClaidClient, sandbox: Sandbox, kind: str
) -> None:
    sandbox.fault(kind, operation="generate_image", charged=False)
    with pytest.raises(ClaidError) as caught:
        patient.generate_image("a red bicycle")
    assert caught.value.may_have_been_charged
    assert [entry.credits for entry in sandbox.ledger()] == [0]


def test_each_paid_operation_is_sent_once_when_its_answer_is_lost(patient: ClaidClient, sandbox: Sandbox) -> None:
    link = patient.generate_image("a red bicycle").output[0].tmp_url or ""
    for call in (
        lambda: patient.edit_image(link, {"resizing": {"width": 9}}),
        lambda: patient.submit_edit(link, {"resizing": {"width": 9}}),
        lambda: patient.upload_and_edit(b"not looked at", {"resizing": {"width": 9}}),
    ):
        sandbox.fault("cut")
        before = len(sandbox.ledger())
        with pytest.raises(ClaidAnswerLostError, match="It may have been charged") as caught:
            call()
        assert caught.value.may_have_been_charged
        assert len(sandbox.ledger()) == before + 1


def test_an_answer_that_does_not_come_in_time_may_have_been_charged(sandbox: Sandbox, client_of: ClientOf) -> None:
    sandbox.fault("hold")
    client = client_of(sandbox.url, sandbox.api_key, read_timeout=0.2)
    with pytest.raises(ClaidAnswerLostError, match=r"answer did not arrive.*timed out.*may have been charged"):
        client.generate_image("a red bicycle")
    sandbox.release()
    assert len(sandbox.ledger()) == 1
    assert sandbox.charged() == 1


def test_a_body_shorter_than_announced_may_have_been_charged(told: ClaidClient, scripted: ScriptedServer) -> None:
    scripted.replies(Reply(200, b'{"data": {}}', {"Content-Type": "application/json"}, length=500))
    with pytest.raises(ClaidAnswerLostError) as caught:
        told.generate_image("a red bicycle")
    assert caught.value.may_have_been_charged
    assert len(scripted.received) == 1


def test_an_unreadable_success_is_kept_with_its_request_id(told: ClaidClient, scripted: ScriptedServer) -> None:
    page = b"<html>Sign in to the hotel's network</html>"
    scripted.replies(Reply(200, page, {"x-request-id": "r-3"}))
    with pytest.raises(ClaidAnswerUnreadError, match="43 bytes") as caught:
        told.generate_image("a red bicycle")
    assert (caught.value.answer.content, caught.value.request_id) == (page, "r-3")
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "broken", [Reply(cut=True), Reply(500), Reply(502, b"<html>"), Reply(200, b'{"data'), Reply(200)]
)
def test_a_get_is_sent_again_until_it_is_answered(
    told: ClaidClient, scripted: ScriptedServer, clock: Clock, broken: Reply
) -> None:
    scripted.replies(broken, broken, broken, JOB)
    assert told.get_edit(7).id == 7
    assert len(scripted.received) == 4
    assert len(clock.slept) == 3


def test_a_get_that_is_never_answered_is_given_up_after_four_attempts(
    told: ClaidClient, scripted: ScriptedServer
) -> None:
    scripted.replies(Reply(cut=True))
    with pytest.raises(ClaidAnswerLostError, match="A GET costs nothing"):
        told.get_edit(7)
    assert len(scripted.received) == 4


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_what_another_attempt_cannot_cure_is_asked_once(
    told: ClaidClient, scripted: ScriptedServer, clock: Clock, status: int
) -> None:
    scripted.replies(Reply(status))
    with pytest.raises(ClaidError):
        told.get_edit(7)
    assert len(scripted.received) == 1
    assert clock.slept == []


def test_a_429_is_sent_again_after_its_reset_with_jitter_and_charged_once(
    patient: ClaidClient, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.change(quota="4/10")
    sandbox.fault("429", operation="generate_image", count=2)
    patient.generate_image("a red bicycle")
    assert [entry.status for entry in sandbox.ledger()] == [429, 429, 200]
    assert sandbox.charged() == 1
    assert len(clock.slept) == 2
    assert all(5 < pause <= 10.5 for pause in clock.slept)


def test_the_policies_that_the_headers_name_are_kept_from_then_on(
    patient: ClaidClient, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.change(quota="1/60")
    patient.generate_image("the first")
    patient.generate_image("the second")
    assert [entry.status for entry in sandbox.ledger()] == [200, 200]
    assert 60 <= sum(clock.slept) <= 61.5


def test_a_429_costs_one_pause_of_its_reset_and_a_little_more(
    told: ClaidClient, scripted: ScriptedServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.replies(TOO_MANY, TOO_MANY, JOB)
    told.get_edit(7)
    assert len(scripted.received) == 3
    assert len(clock.slept) == 2
    assert all(1 < pause <= 1.5 for pause in clock.slept)
    assert clock.slept[0] != clock.slept[1]
    assert "Retrying get_edit in" in caplog.text
    assert "not charged" in caplog.text


def test_a_429_without_headers_waits_a_second_or_so(told: ClaidClient, scripted: ScriptedServer, clock: Clock) -> None:
    scripted.replies(Reply(429), JOB)
    told.get_edit(7)
    assert len(clock.slept) == 1
    assert 1 < clock.slept[0] <= 1.5


def test_more_than_four_429s_are_borne_as_long_as_the_wait_allows(
    scripted: ScriptedServer, client_of: ClientOf, clock: Clock
) -> None:
    scripted.replies(TOO_MANY)
    with pytest.raises(ClaidRateLimitError, match="429"):
        client_of(scripted.url, max_wait=30).generate_image("a red bicycle")
    assert sum(clock.slept) <= 30
    assert 19 < len(scripted.received) < 30


def test_a_reset_beyond_the_longest_wait_is_not_waited_for(
    scripted: ScriptedServer, client_of: ClientOf, clock: Clock
) -> None:
    scripted.replies(as_json({}, 429, RateLimit_Remaining="-1", RateLimit_Reset="500"))
    with pytest.raises(ClaidRateLimitError) as caught:
        client_of(scripted.url, max_wait=300).generate_image("a red bicycle")
    assert caught.value.retry_after == 500
    assert clock.slept == []
    assert len(scripted.received) == 1


def test_a_402_is_not_taken_for_a_429(told: ClaidClient, scripted: ScriptedServer) -> None:
    scripted.replies(as_json({"error_code": "3001", "error_type": "billing", "error_message": "None left"}, 402))
    with pytest.raises(ClaidError) as caught:
        told.generate_image("a red bicycle")
    assert not caught.value.retryable
    assert len(scripted.received) == 1


def test_sending_is_paced_by_the_quota(sandbox: Sandbox, clock: Clock, client_of: ClientOf) -> None:
    clock._also = sandbox.advance
    sandbox.change(quota="120/60,4/1")
    client = client_of(sandbox.url, sandbox.api_key, quota=Quota(clock=clock))
    for number in range(130):
        client.generate_image(f"picture {number}")
    assert {entry.status for entry in sandbox.ledger()} == {200}
    assert 60 <= clock.now - 1000 < 63


def test_a_quota_that_others_have_used_up_is_waited_for(
    told: ClaidClient, scripted: ScriptedServer, clock: Clock
) -> None:
    used_up = as_json({"data": ["s3"]}, RateLimit_Limit="120, 120;w=60", RateLimit_Remaining="0", RateLimit_Reset="42")
    scripted.replies(used_up, as_json({"data": ["s3"]}))
    told.list_storage_types()
    assert clock.slept == []
    told.list_storage_types()
    assert clock.slept == [pytest.approx(42)]


STATE = {"data": {"id": 7, "status": "DONE"}}


@pytest.mark.parametrize("max_wait", [0, 5, 300])
def test_a_quota_of_ones_own_is_not_waited_for_longer_than_max_wait(
    scripted: ScriptedServer, client_of: ClientOf, clock: Clock, max_wait: float
) -> None:
    scripted.replies(as_json(STATE, RateLimit_Limit="1, 1;w=3600"))
    client = client_of(scripted.url, max_wait=max_wait, quota=Quota(clock=clock))
    client.get_edit(7)
    with pytest.raises(ClaidRateLimitError, match=f"max_wait={max_wait} s") as caught:
        client.generate_image("a red bicycle")
    assert not caught.value.may_have_been_charged
    assert 3600 <= caught.value.retry_after < 3601
    assert clock.slept == []
    assert len(scripted.received) == 1


def test_a_short_pause_between_requests_is_no_wait(scripted: ScriptedServer, client_of: ClientOf, clock: Clock) -> None:
    scripted.replies(as_json(STATE, RateLimit_Limit="1, 1;w=1"))
    client = client_of(scripted.url, max_wait=0, quota=Quota((Policy(1, 0.9),), clock))
    client.get_edit(7)
    scripted.replies(as_json(STATE))
    clock.now += 0.5
    client.get_edit(7)
    assert 0 < sum(clock.slept) < 1


def test_all_waits_of_one_request_together_end_with_max_wait(
    scripted: ScriptedServer, client_of: ClientOf, clock: Clock
) -> None:
    refused = as_json({}, 429, RateLimit_Limit="1, 1;w=20", RateLimit_Remaining="-1", RateLimit_Reset="20")
    scripted.replies(refused)
    client = client_of(scripted.url, max_wait=50, quota=Quota((Policy(1, 20),), clock))
    with pytest.raises(ClaidRateLimitError):
        client.get_edit(7)
    assert 20 < sum(clock.slept) <= 50
    assert 2 <= len(scripted.received) <= 3


def test_a_full_window_in_a_store_is_not_waited_for_longer_than_max_wait(
    scripted: ScriptedServer, client_of: ClientOf, clock: Clock, redis_url: str
) -> None:
    store = QuotaStore(redis_url, scripted.url, f"key-{time.monotonic_ns()}").of("image")
    store.add((Policy(1, 3600),))
    client = client_of(scripted.url, max_wait=5, quota=Quota((Policy(1, 3600),), clock, store))
    with pytest.raises(ClaidRateLimitError, match="max_wait=5 s"):
        client.get_edit(7)
    assert sum(clock.slept) <= 5


def test_a_line_that_does_not_move_is_not_waited_in_longer_than_max_wait(
    scripted: ScriptedServer, client_of: ClientOf, clock: Clock
) -> None:
    quota = Quota((Policy(1, 1),), clock)
    client = client_of(scripted.url, max_wait=0, quota=quota)
    with quota.line():
        failed: list[BaseException] = []

        def send() -> None:
            with pytest.raises(ClaidRateLimitError) as caught:
                client.get_edit(7)
            failed.append(caught.value)

        thread = threading.Thread(target=send)
        thread.start()
        thread.join(10)
    assert failed
    assert scripted.received == []


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "17"}, 17, 17.5),
        ({"Retry-After": format_datetime(dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=12))}, 36_000, 43_201),
        ({"Retry-After": "17", "RateLimit-Reset": "3"}, 3, 3.5),
        ({"Retry-After": "soon"}, 1, 1.5),
    ],
)
def test_a_429_is_sent_again_when_it_says(
    told: ClaidClient, scripted: ScriptedServer, clock: Clock, headers: dict[str, str], least: float, most: float
) -> None:
    told._transport.max_wait = 100_000
    scripted.replies(Reply(429, headers=headers), JOB)
    told.get_edit(7)
    assert least <= sum(clock.slept) <= most


@pytest.mark.parametrize("status", [408, 425, 499])
def test_what_a_gateway_says_of_a_request_that_went_on_may_have_been_charged(
    told: ClaidClient, scripted: ScriptedServer, status: int
) -> None:
    scripted.replies(Reply(status))
    with pytest.raises(ClaidServerError) as caught:
        told.generate_image("a red bicycle")
    assert caught.value.may_have_been_charged
    assert len(scripted.received) == 1
