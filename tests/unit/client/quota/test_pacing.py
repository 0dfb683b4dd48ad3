"""How long many requests take at a quota: computed, and by the quota itself with a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_claid.client import ClaidClient
from airflow_claid.client.quota.pacing import seconds_needed
from airflow_claid.client.quota.quota import Quota
from airflow_claid.client.quota.rate_limits import DEFAULT_POLICIES, Policy
from tests.support.clock import Clock

POLICIES = st.lists(st.builds(Policy, st.integers(1, 12), st.integers(1, 90).map(float)), max_size=3).map(tuple)


def simulated(policies: tuple[Policy, ...], requests: int) -> float:
    """Send so many requests through a quota, each as soon as it may be; tell how long it took."""
    clock = Clock()
    quota, began = Quota(policies, clock), clock.now
    for _ in range(requests):
        with quota.line():
            while (booking := quota.book()).wait:
                clock.now += booking.needed
    return clock.now - began


@pytest.mark.parametrize(
    ("policies", "requests"),
    [
        (DEFAULT_POLICIES, 1),
        (DEFAULT_POLICIES, 4),
        (DEFAULT_POLICIES, 5),
        (DEFAULT_POLICIES, 120),
        (DEFAULT_POLICIES, 121),
        (DEFAULT_POLICIES, 1000),
        (DEFAULT_POLICIES, 5000),
        ((Policy(60, 60), Policy(1, 1)), 200),
        ((Policy(15, 60), Policy(1, 1)), 700),
        ((Policy(600, 60), Policy(20, 1)), 3000),
        ((Policy(1000, 3600), Policy(120, 60), Policy(4, 1)), 2500),
        ((Policy(30, 60),), 31),
        ((), 1000),
        (DEFAULT_POLICIES, 0),
    ],
)
def test_so_many_requests_take_as_long_as_the_quota_makes_them_wait(
    policies: tuple[Policy, ...], requests: int
) -> None:
    assert seconds_needed(policies, requests) == pytest.approx(simulated(policies, requests), rel=0.001, abs=0.01)


@given(policies=POLICIES, requests=st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_they_do_under_any_policies(policies: tuple[Policy, ...], requests: int) -> None:
    assert seconds_needed(policies, requests) == pytest.approx(simulated(policies, requests), rel=0.01, abs=0.01)


def test_a_hundred_thousand_requests_take_as_long_as_the_tightest_policy_says() -> None:
    """At 120 a minute that is 13 hours and 53 minutes."""
    assert seconds_needed(DEFAULT_POLICIES, 100_000) == pytest.approx(100_000 / 2, rel=0.002)


def test_a_client_tells_it_for_its_own_quota(claid: ClaidClient) -> None:
    assert claid.pace().seconds_needed(100_000) == 0
    assert ClaidClient("key", "http://localhost:1").pace().seconds_needed(241) == pytest.approx(120, abs=1)
