from __future__ import annotations

import math
import random
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_claid.batch.intake import Item
from airflow_claid.batch.waiting_jobs import WaitingJob, WaitingJobs
from airflow_claid.client import JobKind
from tests.support.clock import Clock


@pytest.fixture(autouse=True)
def short_pauses() -> None:
    """Keep the pauses as they are: they are what is tested here."""


MIDNIGHT = datetime(2026, 10, 1, tzinfo=timezone.utc)


class Waiting:
    """Jobs that wait, on a clock that moves only when told to."""

    def __init__(self, poll_rate: float | None = None, timeout: float = 3600.0) -> None:
        self.clock = Clock()
        self.timeout = timeout
        self.jobs = WaitingJobs(lambda: poll_rate, self.clock)

    @property
    def now(self) -> datetime:
        return MIDNIGHT + timedelta(seconds=self.clock.now)

    def add(self, number: int, *, age: float = 0.0, own: bool = True) -> None:
        order: Any = SimpleNamespace(job_kind=JobKind.AI_EDIT)
        receipt = SimpleNamespace(paid_at=(self.now - timedelta(seconds=age)).isoformat())
        deadline = self.now + timedelta(seconds=self.timeout)
        begun: Any = SimpleNamespace(receipt=receipt, deadline=deadline, credits=2.0 if own else 0.0)
        fulfilment: Any = SimpleNamespace(now=lambda: self.now, terms=SimpleNamespace(poll_interval=10.0))
        self.jobs.add(Item(number, order), begun, fulfilment)

    def due(self, *, sparingly: bool = True) -> WaitingJob | None:
        return self.jobs.due(sparingly=sparingly)


def test_a_job_comes_back_when_its_poll_is_due_and_no_sooner() -> None:
    waiting = Waiting()
    assert waiting.jobs.seconds_until_due(sparingly=True) == math.inf
    waiting.add(1)
    seconds = waiting.jobs.seconds_until_due(sparingly=True)
    assert 0.9 < seconds < 1.25
    assert waiting.due() is None
    waiting.clock.sleep(seconds + 0.001)
    job = waiting.due()
    assert job is not None
    assert (job.item.number, len(waiting.jobs), waiting.due()) == (1, 1, None)
    waiting.jobs.ended(job)
    assert len(waiting.jobs) == 0


def test_the_oldest_is_polled_first_and_all_use_a_fifth_of_the_quota() -> None:
    waiting = Waiting(poll_rate=1.0)
    for number in range(100):
        waiting.add(number, age=number, own=False)
    polled = []
    waiting.clock.sleep(2.0)
    for _ in range(1000):
        waiting.clock.sleep(0.1)
        job = waiting.due()
        if job is not None:
            polled.append(job.item.number)
            waiting.jobs.ended(job)
    assert polled[:5] == [99, 98, 97, 96, 95]
    assert 18 <= len(polled) <= 21
    assert waiting.jobs.seconds_until_due(sparingly=True) <= 5
    while (job := waiting.due(sparingly=False)) is not None:
        waiting.jobs.ended(job)
    assert len(waiting.jobs) == 0, "with nothing else to send, polls may use the whole quota"


def test_a_thousand_jobs_that_never_end_do_not_eat_the_quota() -> None:
    waiting, chance, polls = Waiting(poll_rate=1.0), random.Random(1), 0
    for number in range(1000):
        waiting.add(number)
        waiting.clock.sleep(chance.random() / 100)
    for _ in range(6000):
        waiting.clock.sleep(0.1)
        job = waiting.due()
        if job is not None:
            polls += 1
            waiting.jobs.running(job, job.begun)
    assert 110 <= polls <= 121


def test_a_job_is_polled_at_the_latest_when_the_time_to_wait_is_over() -> None:
    waiting = Waiting(timeout=0.5)
    waiting.add(1)
    assert waiting.jobs.seconds_until_due(sparingly=True) == 0.5
    waiting.clock.sleep(0.5)
    assert waiting.due() is not None


def test_the_limit_is_what_uses_the_quota_and_never_thousands() -> None:
    waiting = Waiting()
    assert waiting.jobs.limit(1.0) == 98
    assert waiting.jobs.limit(None) == waiting.jobs.limit(1e6) == 2000
    waiting.add(1)
    waiting.clock.sleep(10.0)
    job = waiting.due()
    assert job is not None
    waiting.jobs.ended(job)
    assert waiting.jobs.limit(1.0) < 20
