from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from airflow_claid.sandbox import Latency, Sandbox
from airflow_claid.sandbox.faults import Fault, Faults
from tests.support.sandbox_client import Client, wait_until


def test_a_connection_cut_before_charging_gives_no_byte_and_costs_nothing(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("cut")
    with pytest.raises(requests.ConnectionError):
        client.generate()
    wait_until(lambda: sandbox.ledger()[0].delivered is not None)
    (entry,) = sandbox.ledger()
    assert (entry.credits, entry.delivered, entry.status, entry.fault) == (0, False, 0, ["cut"])
    assert client.generate().status_code == 200, "it strikes once"


def test_a_connection_cut_after_charging_is_paid_and_the_pictures_are_there(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(requests.ConnectionError):
        client.generate("a lost lamp")
    wait_until(lambda: sandbox.ledger()[0].delivered is not None)
    (entry,) = sandbox.ledger()
    assert (entry.prompt, entry.credits, entry.delivered) == ("a lost lamp", 4, False)
    assert requests.get(entry.pictures[0], timeout=10).status_code == 200


def test_a_429_on_demand_is_never_charged_and_has_the_headers(client: Client, sandbox: Sandbox) -> None:
    sandbox.change(quota="1000/60")
    sandbox.fault("429", count=2)
    answers = [client.generate() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["RateLimit-Remaining"] == "-1"
    assert answers[0].json()["detail"]["error_code"] == "2001"
    assert sandbox.charged() == 4


@pytest.mark.parametrize(("charged", "price"), [(None, 0), (True, 4)])
def test_a_500_has_claids_envelope_and_is_charged_only_if_told(
    client: Client, sandbox: Sandbox, charged: bool | None, price: float
) -> None:
    sandbox.fault("500", charged=charged)
    answer = client.generate()
    assert answer.status_code == 500
    assert answer.json()["error_type"] == "general"
    assert sandbox.charged() == price


def test_a_502_is_a_proxys_html(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("502")
    answer = client.generate()
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>502 Bad Gateway</h1>" in answer.text
    assert sandbox.charged() == 0


def test_an_empty_body_comes_after_charging(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("empty")
    answer = client.generate()
    assert (answer.status_code, answer.content) == (200, b"")
    assert sandbox.charged() == 4


def test_truncated_json_comes_after_charging(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("truncated")
    answer = client.generate()
    assert answer.status_code == 200
    assert answer.content.startswith(b'{"data":')
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert sandbox.charged() == 4
    wait_until(lambda: sandbox.ledger()[0].delivered is True)


def test_a_slow_answer_comes_whole_after_charging(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("slow", seconds=0.2)
    with client.call("POST", "/image/generate", json={"input": "a lamp"}, stream=True) as answer:
        assert sandbox.charged() == 4
        assert len(answer.json()["data"]["output"]) == 4
    wait_until(lambda: sandbox.ledger()[0].delivered is True)


def test_a_huge_answer_is_declared_and_begins_with_the_pictures(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("huge")
    with client.call("POST", "/image/generate", json={"input": "a lamp"}, stream=True) as answer:
        assert int(answer.headers["content-length"]) == 8 * 1024**3
        begun = next(answer.iter_content(1_000_000))
    assert len(json.loads(begun)["data"]["output"]) == 4
    wait_until(lambda: sandbox.ledger()[0].delivered is False)
    assert sandbox.charged() == 4


def test_latency_before_charging_delays_the_charge(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("latency", seconds=0.4)
    with ThreadPoolExecutor() as pool:
        begun = time.monotonic()
        answer = pool.submit(client.generate)
        wait_until(lambda: sandbox.ledger() and sandbox.ledger()[0].fault)
        assert sandbox.charged() == 0
        assert answer.result().status_code == 200
    assert time.monotonic() - begun >= 0.4
    assert sandbox.charged() == 4


def test_a_client_that_gives_up_has_paid_and_the_ledger_knows_that_it_was_not_delivered(
    client: Client, sandbox: Sandbox
) -> None:
    sandbox.fault("latency", seconds=0.5, charged=True)
    with pytest.raises(requests.ReadTimeout):
        client.call("POST", "/image/generate", json={"input": "a slow lamp"}, timeout=0.2)
    wait_until(lambda: sandbox.ledger()[0].delivered is not None)
    (entry,) = sandbox.ledger()
    assert (entry.credits, entry.delivered) == (4, False)


def test_an_answer_is_held_after_charging_until_it_is_released(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("hold", prompt="HELD")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(client.generate, "a held lamp")
        wait_until(lambda: sandbox.held == 1)
        assert sandbox.charged() == 4
        assert sandbox.ledger()[0].delivered is None
        assert client.generate("another").status_code == 200
        assert not answer.done()
        assert requests.post(f"{sandbox.url}/sandbox/faults/release", timeout=10).json() == {"released": 1}
        assert answer.result(5).status_code == 200
    wait_until(lambda: sandbox.ledger()[0].delivered is True)


def test_a_hold_ends_by_itself_after_its_seconds(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("hold", seconds=0.1)
    assert client.generate().status_code == 200


def test_a_sandbox_stops_at_once_though_an_answer_is_held() -> None:
    with ThreadPoolExecutor() as pool:
        with Sandbox() as sandbox:
            sandbox.fault("hold")
            answer = pool.submit(Client(sandbox).generate)
            wait_until(lambda: sandbox.held == 1)
            begun = time.monotonic()
        assert time.monotonic() - begun < 3
        assert answer.exception() is not None or answer.result().status_code == 200


def test_a_fault_strikes_only_its_operation_and_prompt(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("500", operation="edit_image", probability=1)
    sandbox.fault("502", prompt="Zebra", probability=1)
    assert client.generate("a horse").status_code == 200
    assert client.generate("a zebra").status_code == 502
    assert client.edit(client.picture_address("a horse")).status_code == 500
    assert client.generate("a zebra").status_code == 502


def test_faults_come_and_go_over_http(client: Client, sandbox: Sandbox) -> None:
    faults = f"{sandbox.url}/sandbox/faults"
    made = requests.post(faults, json={"kind": "500", "probability": 1}, timeout=10).json()
    assert client.generate().status_code == 500
    (listed,) = requests.get(faults, timeout=10).json()["faults"]
    assert (listed["number"], listed["struck"]) == (made["number"], 1)
    requests.delete(faults, params={"number": made["number"]}, timeout=10)
    assert client.generate().status_code == 200
    assert requests.post(faults, json={"kind": "earthquake"}, timeout=10).status_code == 422


def test_a_probability_is_repeatable_by_its_seed() -> None:
    def pattern(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(Fault("500", probability=0.3, seed=seed))
        return [bool(faults.strike("generate_image", "")) for _ in range(200)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 30 < sum(pattern(1)) < 90


@pytest.mark.parametrize("given", [{"kind": "429", "charged": True}, {"kind": "hold", "charged": False}, {"kind": "x"}])
def test_a_fault_that_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "status"), [("job_error", "ERROR"), ("job_stuck", "PROCESSING")])
def test_a_job_can_fail_or_never_end(client: Client, sandbox: Sandbox, kind: str, status: str) -> None:
    address = client.picture_address()
    sandbox.fault(kind)
    job = client.call("POST", "/image/edit/async", json={"input": address, "operations": {}}).json()["data"]
    path = f"/image/edit/async/{job['id']}"
    wait_until(lambda: client.call("GET", path).json()["data"]["status"] == status)
    time.sleep(0.1)
    assert client.call("GET", path).json()["data"]["status"] == status


def test_hundreds_of_slow_requests_wait_at_the_same_time(client: Client, sandbox: Sandbox) -> None:
    sandbox.change(latency=Latency(1.0))
    with ThreadPoolExecutor(100) as pool:
        begun = time.monotonic()
        answers = list(pool.map(lambda number: client.generate(f"lamp {number}"), range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - begun < 5


class TestDownloads:
    def test_a_truncated_body_is_shorter_than_declared(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.fault("truncated", operation="download")
        with requests.get(address, timeout=10, stream=True) as answer:
            declared = int(answer.headers["content-length"])
            with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
                answer.content  # noqa: B018
        assert declared > 1000

    def test_a_huge_body_is_declared_and_streamed(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.fault("huge", operation="download")
        with requests.get(address, timeout=10, stream=True) as answer:
            assert int(answer.headers["content-length"]) == 8 * 1024**3
            assert len(next(answer.iter_content(1_000_000))) == 1_000_000
        assert requests.get(address, timeout=10).status_code == 200

    def test_a_slow_body_takes_its_time(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.fault("slow", operation="download", seconds=0.4)
        begun = time.monotonic()
        whole = requests.get(address, timeout=10).content
        assert time.monotonic() - begun >= 0.3
        assert whole == requests.get(address, timeout=10).content

    def test_an_address_expires_on_demand(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.fault("expired", operation="download")
        assert requests.get(address, timeout=10).status_code == 403

    def test_a_download_is_cut(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.fault("cut", operation="download")
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=10)
