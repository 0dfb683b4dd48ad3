from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client import ClaidClient
from airflow_claid.client.quota import DEFAULT_POLICIES, Policy, Quota, RateLimit
from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.unit.client.clock import Clock

HEADERS = {"RateLimit-Limit": "120, 120;w=60, 4;w=1", "RateLimit-Remaining": "87", "RateLimit-Reset": "42"}
ANY_POLICY = st.builds(Policy, st.integers(1, 12), st.integers(1, 90).map(float))
ANY_POLICIES = st.lists(ANY_POLICY, min_size=1, max_size=3).map(tuple)


def moments(quota: Quota, clock: Clock, count: int) -> list[float]:
    """Book so many requests at once; tell when each may be sent."""
    return [clock.now + quota.book() for _ in range(count)]


def most_within(sent: list[float], window: float) -> int:
    """How many of these moments fall, at most, into any span shorter than the window."""
    return max(sum(start <= moment < start + window for moment in sent) for start in sent)


def test_claids_default_is_120_a_minute_and_4_a_second() -> None:
    assert set(DEFAULT_POLICIES) == {Policy(120, 60), Policy(4, 1)}
    clock = Clock()
    sent = moments(Quota(clock=clock), clock, 300)
    assert most_within(sent, 1) == 4
    assert most_within(sent, 60) == 120


def test_the_quota_is_used_and_not_only_kept() -> None:
    clock = Clock()
    sent = moments(Quota(clock=clock), clock, 600)
    assert sent[0] == clock.now
    assert sent[-1] - sent[0] <= 4 * 60 + 60


@given(policies=ANY_POLICIES, waits=st.lists(st.floats(0, 30), min_size=1, max_size=80))
def test_no_window_ever_holds_more_than_its_policy_allows(policies: tuple[Policy, ...], waits: list[float]) -> None:
    clock = Clock()
    quota = Quota(policies, clock)
    sent = []
    for wait in waits:
        clock.now += wait
        sent.append(clock.now + quota.book())
    for policy in policies:
        assert most_within(sent, policy.window) <= policy.requests


@given(policies=ANY_POLICIES, count=st.integers(2, 60))
def test_those_who_ask_first_are_sent_first(policies: tuple[Policy, ...], count: int) -> None:
    clock = Clock()
    sent = moments(Quota(policies, clock), clock, count)
    assert sent == sorted(sent)


@given(before=ANY_POLICIES, after=ANY_POLICIES, early=st.integers(0, 40), late=st.integers(1, 40))
def test_new_policies_hold_from_the_answer_that_names_them(
    before: tuple[Policy, ...], after: tuple[Policy, ...], early: int, late: int
) -> None:
    clock = Clock()
    quota = Quota(before, clock)
    moments(quota, clock, early)
    quota.observe(RateLimit(after, None, None))
    sent = moments(quota, clock, late)
    for policy in after:
        assert most_within(sent, policy.window) <= policy.requests


def test_an_account_with_less_than_the_default_is_paced_by_its_own_headers() -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    quota.book()
    quota.observe(RateLimit.from_headers({"RateLimit-Limit": "30, 30;w=60, 1;w=1", "RateLimit-Remaining": "29"}))
    sent = moments(quota, clock, 40)
    assert most_within(sent, 1) == 1
    assert most_within(sent, 60) <= 30


def test_an_account_with_more_than_the_default_may_use_it() -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    quota.book()
    quota.observe(RateLimit.from_headers({"RateLimit-Limit": "6000, 6000;w=60, 200;w=1"}))
    assert moments(quota, clock, 199) == [clock.now] * 199


def test_a_quota_without_policies_makes_nobody_wait() -> None:
    clock = Clock()
    assert moments(Quota((), clock), clock, 1000) == [clock.now] * 1000


def test_a_quota_that_is_exceeded_is_closed_until_its_reset() -> None:
    clock = Clock()
    quota = Quota((Policy(4, 1),), clock)
    quota.observe(RateLimit((), remaining=-1, reset=30))
    assert quota.closed_for()
    assert quota.book() == 30
    clock.now += 30
    assert not quota.closed_for()
    assert quota.book() == 0


def test_the_later_of_two_resets_holds() -> None:
    clock = Clock()
    quota = Quota((), clock)
    quota.observe(RateLimit((), remaining=-1, reset=30))
    quota.observe(RateLimit((), remaining=-1, reset=2))
    assert quota.book() == 30


def test_a_quota_that_others_used_up_is_closed_and_one_that_we_used_up_is_paced_as_it_was() -> None:
    clock = Clock()
    shared, own = Quota((Policy(4, 1),), clock), Quota((Policy(4, 1),), clock)
    used_up = RateLimit((), remaining=0, reset=1)
    moments(shared, clock, 2)
    moments(own, clock, 4)
    shared.observe(used_up)
    own.observe(used_up)
    assert shared.closed_for()
    assert not own.closed_for()
    assert 1 <= own.book() < 1.2


def test_a_minute_used_up_by_others_is_waited_for_even_if_our_own_second_is_full() -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    moments(quota, clock, 4)
    quota.observe(RateLimit((), remaining=0, reset=35))
    assert quota.book() == 35


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        (HEADERS, RateLimit((Policy(120, 60), Policy(4, 1)), 87, 42)),
        ({}, RateLimit((), None, None)),
        ({**HEADERS, "RateLimit-Remaining": "-1"}, RateLimit((Policy(120, 60), Policy(4, 1)), -1, 42)),
        ({"RateLimit-Limit": "15"}, RateLimit((), None, None)),
        ({"RateLimit-Limit": "0, 0;w=60, 4;w=0"}, RateLimit((), None, None)),
        (
            {"RateLimit-Limit": "many", "RateLimit-Remaining": "few", "RateLimit-Reset": "soon"},
            RateLimit((), None, None),
        ),
        ({"RateLimit-Reset": "-5"}, RateLimit((), None, 0)),
        ({"RateLimit-Reset": "0.5"}, RateLimit((), None, 0.5)),
    ],
)
def test_headers_are_read_as_far_as_they_can_be(headers: dict[str, str], seen: RateLimit) -> None:
    assert RateLimit.from_headers(headers) == seen


@given(st.dictionaries(st.sampled_from(list(HEADERS)), st.text(max_size=30)))
def test_no_header_breaks_the_pacing(headers: dict[str, str]) -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    quota.observe(RateLimit.from_headers(headers))
    assert quota.book() >= 0


def test_an_answer_that_says_nothing_of_the_quota_changes_nothing() -> None:
    clock = Clock()
    quota = Quota((Policy(2, 10),), clock)
    quota.observe(RateLimit.from_headers({}))
    assert most_within(moments(quota, clock, 10), 10) == 2


def test_threads_that_ask_at_once_each_get_a_moment_of_their_own() -> None:
    clock = Clock()
    quota = Quota((Policy(5, 1),), clock)
    start = threading.Barrier(20)

    def book(_: int) -> list[float]:
        start.wait()
        return [clock.now + quota.book() for _ in range(50)]

    with ThreadPoolExecutor(20) as pool:
        sent = sorted(moment for part in pool.map(book, range(20)) for moment in part)
    assert len(sent) == 1000
    assert most_within(sent, 1) == 5


def test_threads_use_nearly_the_whole_quota_of_a_real_server_with_hardly_a_429() -> None:
    """In real time, for the server keeps its own: 32 requests at 8 a second take three pauses of a second."""
    with Sandbox(SandboxSettings(quota="8/1")) as sandbox:
        client = ClaidClient(sandbox.api_key, sandbox.url, quota=Quota((Policy(8, 1),)), pool_size=12)
        begun = time.monotonic()
        with client, ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda number: client.generate_image(f"picture {number}"), range(32)))
        lasted = time.monotonic() - begun
        statuses = [entry.status for entry in sandbox.ledger()]
        assert sandbox.charged() == 32
    assert statuses.count(200) == 32
    assert statuses.count(429) <= 2
    assert 3 <= lasted < 5.5
