from __future__ import annotations

import pytest

from airflow_claid.sandbox.quota import Quota
from benchmarks.allowance import allowed, used

QUOTA = "600/60,20/1"


@pytest.mark.parametrize(
    ("seconds", "requests"), [(0, 20), (0.9, 20), (1, 40), (28.9, 580), (29, 600), (59.9, 600), (60, 620), (79, 1000)]
)
def test_both_windows_bind(seconds: float, requests: int) -> None:
    assert allowed(QUOTA, seconds) == requests


def test_the_sandbox_lets_so_many_through_and_no_more() -> None:
    now = 0.0
    quota = Quota(QUOTA, lambda: now)
    accepted = 0
    while now <= 70:
        accepted += sum(quota.take().allowed for _ in range(30))
        now += 0.25
    assert accepted == allowed(QUOTA, 70)


def test_what_is_not_sent_is_not_used() -> None:
    assert used("4/1", [0.0, 0.1, 0.2, 1.0]) == 0.5
