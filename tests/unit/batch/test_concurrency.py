"""How many threads a batch has, with simulated time: a server, a disk or a quota is the limit, or the threads are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_claid.batch.concurrency import FEWEST_THREADS, MOST_THREADS, ConcurrencyLimit

TICK = 0.1
CLAID_USUALLY = 10.0
"""Requests a second that Claid's default quota allows."""


@dataclass
class Simulation:
    """A batch whose items end as fast as its threads, the quota and the server allow.

    :param seconds_each: what an item takes where nothing is the limit.
    :param quota: requests a second; ``None`` where there is none.
    :param most: items a second that the server or the disk can do.
    :param cpu_each: processor seconds that an item takes.
    :param offered: items a second that the source has.
    """

    seconds_each: float
    quota: float | None = None
    most: float = math.inf
    cpu_each: float = 0.0
    offered: float = math.inf
    now: float = 0.0
    cpu: float = 0.0
    ended: float = 0.0
    ended_in: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limit = ConcurrencyLimit(lambda: self.now, lambda: self.cpu)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        threads = self.threads[-1] if self.threads else FEWEST_THREADS
        for _ in range(round(seconds / TICK)):
            answered = self.now >= self.seconds_each
            of_processor = 1 / self.cpu_each if self.cpu_each else math.inf
            quota = self.quota or math.inf
            rate = min(threads / self.seconds_each, quota, self.most, of_processor, self.offered)
            items = rate * TICK if answered else 0.0
            self.now += TICK
            self.cpu += items * self.cpu_each
            self.ended += items
            self.ended_in.append(items)
            running = threads if rate < self.offered else math.ceil(rate * self.seconds_each)
            latency = self.seconds_each if rate >= quota else max(self.seconds_each, threads / rate)
            threads = self.limit.size(self.quota, latency if answered else None, running=running, ended=int(self.ended))
            self.threads.append(threads)

    def rate(self, seconds: float) -> float:
        """Return how many items a second ended lately."""
        ticks = round(seconds / TICK)
        return sum(self.ended_in[-ticks:]) / seconds


@pytest.mark.parametrize("seconds_each", [2.0, 5.0, 8.0])
@pytest.mark.parametrize("quota", [CLAID_USUALLY, 20.0])
def test_the_quota_is_used_as_soon_as_the_first_answers_come(quota, seconds_each):
    batch = Simulation(seconds_each, quota)
    batch.run(3)
    assert batch.threads[-1] >= quota * seconds_each
    batch.run(120)
    assert batch.rate(110) == pytest.approx(quota)
    assert min(batch.threads[30:]) >= quota * seconds_each


def test_threads_that_wait_for_the_same_server_become_no_more():
    batch = Simulation(0.02, most=400)
    batch.run(3600)
    assert max(batch.threads) <= FEWEST_THREADS * 1.5
    more = [number for number in batch.threads if number > FEWEST_THREADS]
    assert len(more) < len(batch.threads) * 0.02
    assert batch.rate(3600) == pytest.approx(400, rel=0.01)


def test_a_server_that_is_slow_from_the_start_gets_few_threads():
    batch = Simulation(0.02, most=50)
    batch.run(3600)
    assert max(batch.threads) <= FEWEST_THREADS * 1.5**2


def test_a_quota_that_nothing_can_use_is_no_reason_for_threads():
    batch = Simulation(0.02, quota=10_000, most=400)
    batch.run(600)
    assert max(batch.threads) <= FEWEST_THREADS * 1.5


@pytest.mark.parametrize("seconds_each", [0.3, 1.0, 6.0])
def test_threads_are_added_while_they_help(seconds_each):
    batch = Simulation(seconds_each)
    batch.run(12 + 10 * seconds_each)
    assert batch.threads[-1] == MOST_THREADS


def test_a_limit_that_is_lifted_is_found_out():
    batch = Simulation(0.2, most=80)
    batch.run(60)
    assert batch.threads[-1] <= FEWEST_THREADS * 1.5
    batch.most = math.inf
    batch.run(400)
    assert batch.threads[-1] == MOST_THREADS


def test_a_quota_that_grows_is_followed_at_once():
    batch = Simulation(5.0, CLAID_USUALLY)
    batch.run(60)
    batch.quota = 20.0
    batch.run(2)
    assert batch.threads[-1] >= 100


@pytest.mark.parametrize(("seconds_each", "longer"), [(5.0, 10.0), (5.0, 60.0), (1.0, 30.0)])
def test_answers_that_take_longer_are_followed_at_once(seconds_each, longer):
    batch = Simulation(seconds_each, CLAID_USUALLY)
    batch.run(60)
    batch.seconds_each = longer
    batch.run(4)
    assert batch.threads[-1] >= min(MOST_THREADS, CLAID_USUALLY * longer)


def test_a_busy_processor_gets_fewer_threads():
    batch = Simulation(0.3)
    batch.run(30)
    batch.cpu_each = 0.05
    batch.run(30)
    assert batch.threads[-1] == FEWEST_THREADS


def test_a_source_that_is_the_limit_needs_no_more_threads():
    batch = Simulation(1.0, offered=5.0)
    batch.run(60)
    assert max(batch.threads) == FEWEST_THREADS


@settings(max_examples=50)
@given(
    seconds_each=st.floats(0.01, 10.0),
    quota=st.none() | st.floats(0.5, 2_000.0),
    most=st.just(math.inf) | st.floats(2.0 * FEWEST_THREADS, 2_000.0),
)
def test_what_can_be_done_is_done_with_few_threads(seconds_each, quota, most):
    batch = Simulation(seconds_each, quota, most)
    batch.run(60 + 30 * seconds_each)
    possible = min(quota or math.inf, most, MOST_THREADS / seconds_each)
    assert batch.rate(10 + 5 * seconds_each) >= 0.75 * possible
    before_answers = FEWEST_THREADS * 1.5 ** math.ceil(2 * (seconds_each + 3))
    wanted = MOST_THREADS if quota is None else quota * max(seconds_each, 8.0) * 1.3 + 9  # 8 s are assumed at first
    assert max(batch.threads) <= max(
        FEWEST_THREADS * 1.5**2, min(wanted, max(possible * seconds_each * 3, before_answers))
    )
