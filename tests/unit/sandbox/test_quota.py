from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.quota import Policy, Quota
from airflow_claid.sandbox.settings import QUOTAS
from tests.support.sandbox_client import Client


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def limited() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings()) as sandbox:
        yield sandbox


def test_the_headers_are_those_of_the_documentation(limited: Sandbox) -> None:
    answer = Client(limited).generate()
    assert answer.headers["RateLimit-Limit"] == "120, 120;w=60, 4;w=1"
    assert answer.headers["RateLimit-Remaining"] == "119"
    assert 0 <= int(answer.headers["RateLimit-Reset"]) <= 60
    assert "Retry-After" not in answer.headers


def test_a_window_that_has_just_begun_ends_after_its_length_and_no_later() -> None:
    clock = Clock()
    for tenths in range(1, 5000):
        clock.now = tenths / 10
        assert Quota("120/60,4/1", clock).take().headers["RateLimit-Reset"] == "60"


def test_the_fifth_request_in_a_second_is_a_429_nested_under_detail_and_costs_nothing(limited: Sandbox) -> None:
    client = Client(limited)
    answers = [client.generate(options={"number_of_images": 1}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json()["detail"]["error_code"] == "2001"
    assert "error_code" not in refused.json()
    assert refused.headers["RateLimit-Limit"] == "4, 120;w=60, 4;w=1"
    assert refused.headers["RateLimit-Remaining"] == "-1"
    assert refused.headers["RateLimit-Reset"] == "1"
    assert limited.charged() == 4
    limited.advance(1)
    assert client.generate().status_code == 200


def test_all_keys_of_an_account_share_the_quota_and_storage_operations_do_not_count(limited: Sandbox) -> None:
    limited.add_key("other")
    clients = [Client(limited), Client(limited, "other")]
    for _ in range(4):
        assert "RateLimit-Limit" not in clients[0].call("GET", "/storage/storages").headers
    statuses = [clients[turn % 2].generate().status_code for turn in range(5)]
    assert statuses == [200, 200, 200, 200, 429]


def test_polls_count_unless_told_otherwise(limited: Sandbox) -> None:
    client = Client(limited)
    assert [client.call("GET", "/image/edit/async/1").status_code for _ in range(5)] == [404] * 4 + [429]
    limited.change(polls_count=False)
    assert client.call("GET", "/image/edit/async/1").status_code == 404


def test_the_quota_can_be_changed_while_running(limited: Sandbox) -> None:
    client = Client(limited)
    limited.change(quota="1/60")
    assert [client.generate().status_code for _ in range(2)] == [200, 429]
    limited.change(quota="")
    answer = client.generate()
    assert answer.status_code == 200
    assert "RateLimit-Limit" not in answer.headers


@pytest.mark.parametrize(("name", "setting"), QUOTAS.items())
def test_each_quota_can_be_changed_while_running(limited: Sandbox, name: str, setting: str) -> None:
    limited.change(**{setting: "7/1"})
    assert limited.service.quotas[name].take().headers["RateLimit-Limit"] == "7, 7;w=1"


def test_windows_slide() -> None:
    clock = Clock()
    quota = Quota("2/10", clock)
    assert quota.take().allowed
    clock.now += 6
    assert quota.take().allowed
    refused = quota.take()
    assert not refused.allowed
    assert refused.headers["RateLimit-Reset"] == "4"
    clock.now += 4
    assert quota.take().allowed
    assert not quota.take().allowed


def test_refused_requests_do_not_count() -> None:
    clock = Clock()
    quota = Quota("1/10", clock)
    assert [quota.take().allowed for _ in range(5)] == [True, False, False, False, False]
    clock.now += 10
    assert quota.take().allowed


@pytest.mark.parametrize("text", ["5", "0/1", "a/b", "1/0", "-1/5"])
def test_a_quota_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Policy.parse_all(text)
