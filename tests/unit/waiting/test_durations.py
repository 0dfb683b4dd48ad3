"""When jobs are polled, and how often, on a simulated clock."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from airflow_claid.batch.schedule import Schedule
from airflow_claid.client import JobKind
from airflow_claid.waiting.durations import JobDurations, PolledJob

KIND = JobKind.AI_EDIT


def simulated(duration: Callable[[float], float], *, jobs: int = 1000, rate: float = 1.0) -> tuple[float, list[float]]:
    """Return the polls a job, and the delays with which the ends were seen, of jobs submitted at this rate."""
    durations, schedule, polls, delays = JobDurations(), Schedule[tuple[float, float, PolledJob]](), 0, []
    for number in range(jobs):
        begin = number / rate
        schedule.add((begin, duration(begin), PolledJob(KIND)), begin)
    while len(schedule):
        now = schedule.next_moment
        begin, length, job = schedule.due(now) or (0.0, 0.0, PolledJob(KIND))
        age = now - begin
        if job.planned and durations.is_due(job, age + 1e-6):
            polls += 1
            if age >= length:
                durations.ended(job, age)
                delays.append(age - length)
                continue
            job = durations.running(job, age)
        job = durations.planned(job, age, 10.0)
        schedule.add((begin, length, job), begin + job.planned)
    return polls / jobs, delays


@pytest.mark.parametrize("seconds", [2.0, 30.0])
@pytest.mark.parametrize("rate", [0.25, 1.0])
def test_few_more_polls_than_jobs_are_needed_when_durations_vary_by_a_third(seconds: float, rate: float) -> None:
    chance = random.Random(1)
    polls, delays = simulated(lambda _: seconds * chance.uniform(0.7, 1.3), rate=rate)
    assert polls < 1.25
    assert sum(delays) / len(delays) < 0.3 * seconds


def test_durations_that_never_vary_are_found() -> None:
    polls, delays = simulated(lambda _: 30.0)
    assert polls < 1.3
    assert sum(delays) / len(delays) < 0.1 * 30


@pytest.mark.parametrize("after", [10.0, 90.0])
def test_it_follows_when_jobs_become_faster_or_slower(after: float) -> None:
    polls, delays = simulated(lambda begin: 30.0 if begin < 300 else after)
    assert polls < 2
    assert sum(delays[-100:]) / 100 < 0.4 * after


def test_before_any_job_has_ended_the_first_polls_come_soon() -> None:
    job = JobDurations().planned(PolledJob(KIND), 0.0, 10.0)
    assert 0.9 < job.planned < 1.25


def test_a_poll_that_came_late_is_not_taken_for_a_long_duration() -> None:
    durations = JobDurations()
    job = durations.planned(PolledJob(KIND), 0.0, 10.0)
    durations.ended(job, 900.0)
    assert (durations.typical(KIND) or 0) < 10


def test_a_job_of_an_earlier_process_tells_nothing() -> None:
    durations = JobDurations()
    job = durations.running(durations.planned(PolledJob(KIND, is_own=False), 3600.0, 10.0), 3601.0)
    durations.ended(job, 3602.0)
    assert durations.typical(KIND) is None


def test_between_two_polls_is_never_more_than_the_interval() -> None:
    durations = JobDurations()
    durations.ended(PolledJob(KIND, planned=100.0), 100.0)
    job = durations.planned(durations.running(PolledJob(KIND, is_own=False), 200.0), 200.0, 10.0)
    assert job.planned == 210.0


def test_each_kind_has_durations_of_its_own() -> None:
    durations = JobDurations()
    durations.ended(PolledJob(JobKind.VIDEO, planned=100.0), 100.0)
    durations.ended(PolledJob(KIND, planned=10.0), 10.0)
    assert (durations.typical(JobKind.VIDEO), durations.typical(KIND), durations.longest) == (90.0, 9.0, 90.0)
