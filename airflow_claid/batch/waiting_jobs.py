"""Items whose job is waited for: none of them holds a thread, and their polls leave most of the quota to new items."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_claid.batch.intake import Item
from airflow_claid.batch.schedule import Schedule
from airflow_claid.fulfilment.fulfilment import Begun, Fulfilment
from airflow_claid.waiting.durations import JobDurations, PolledJob

_MOST_JOBS = 2000
_ROOM = 1.5
"""Factor by which more jobs are waited for than the quota and their usual duration require: durations vary."""

_USUAL_SECONDS = 60.0
"""Assumed duration of a job before the first has ended."""

_SHARE_OF_POLLS = 0.2
"""Share of the quota that polls may use while there are new items to be sent."""


@dataclass(frozen=True)
class WaitingJob:
    """An item whose job is waited for.

    :param since: when the job was submitted, by the clock of :class:`WaitingJobs`.
    :param until: when to stop waiting for it.
    :param polled: what its polls have shown.
    :param poll_interval: the longest time between two polls, in seconds.
    """

    item: Item
    begun: Begun
    since: float
    until: float
    polled: PolledJob
    poll_interval: float

    @property
    def moment(self) -> float:
        """When to poll it next; at the latest when the time to wait is over."""
        return min(self.since + self.polled.planned, self.until)


class WaitingJobs:
    """Keeps the items whose job is waited for, and says which to poll; thread-safe.

    :param poll_rate: returns the requests a second that the quota of the polls allows in the long run; ``None`` where
        there is no limit.
    :param clock: returns seconds from any start.
    """

    def __init__(self, poll_rate: Callable[[], float | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._poll_rate = poll_rate
        self._clock = clock
        self._lock = threading.Lock()
        self._durations = JobDurations()
        self._later: Schedule[WaitingJob] = Schedule()
        self._due: Schedule[WaitingJob] = Schedule()
        """Jobs that are due, by the moment of their submission: the oldest is polled first."""
        self._polling = 0
        self._next_poll = -math.inf
        """While polls are spared: when the next one may be."""

    def __len__(self) -> int:
        """Return the number of jobs that are waited for, those included that are being polled."""
        with self._lock:
            return len(self._later) + len(self._due) + self._polling

    def limit(self, rate: float | None) -> int:
        """Return how many jobs to wait for at once, to use the whole quota.

        :param rate: requests a second that the quota allows; ``None`` where there is no limit.
        """
        if rate is None:
            return _MOST_JOBS
        return min(_MOST_JOBS, math.ceil(rate * (self._durations.longest or _USUAL_SECONDS) * _ROOM) + 8)

    def add(self, item: Item, begun: Begun, fulfilment: Fulfilment) -> None:
        """Keep an item whose job was submitted, by this execution or an earlier one."""
        kind, paid_at, moment, now = item.order.job_kind, begun.receipt.paid_at, fulfilment.now(), self._clock()
        if kind is None or begun.deadline is None:
            raise ValueError(f"row {item.number} waits for no job")
        age = (moment - datetime.fromisoformat(paid_at)).total_seconds() if paid_at else 0.0
        left = (begun.deadline - moment).total_seconds()
        interval = fulfilment.terms.poll_interval
        polled = self._durations.planned(PolledJob(kind, is_own=begun.credits > 0), max(0.0, age), interval)
        job = WaitingJob(item, begun, now - max(0.0, age), now + left, polled, interval)
        with self._lock:
            self._later.add(job, job.moment)

    def due(self, *, sparingly: bool) -> WaitingJob | None:
        """Remove and return the oldest job that is due; ``None`` if none may be polled now.

        :param sparingly: whether polls are to use no more than their share of the quota.
        """
        now, rate = self._clock(), self._poll_rate()
        with self._lock:
            self._move_due(now)
            if sparingly and rate is not None and now < self._next_poll:
                return None
            job = self._due.due(math.inf)
            if job is not None:
                self._polling += 1
                self._next_poll = now + 1 / (rate * _SHARE_OF_POLLS) if rate else -math.inf
            return job

    def seconds_until_due(self, *, sparingly: bool) -> float:
        """Return the seconds until a job may be polled; infinite if none is waited for."""
        now = self._clock()
        with self._lock:
            moment = now if len(self._due) else self._later.next_moment
            return max(0.0, max(moment, self._next_poll) - now if sparingly else moment - now)

    def running(self, job: WaitingJob, begun: Begun) -> None:
        """Keep a job that was polled and has not ended."""
        age = self._age(job)
        polled = self._durations.planned(self._durations.running(job.polled, age), age, job.poll_interval)
        again = replace(job, begun=begun, polled=polled)
        with self._lock:
            self._polling -= 1
            self._later.add(again, again.moment)

    def ended(self, job: WaitingJob) -> None:
        """Forget a job that has ended, and learn how long it took."""
        self._durations.ended(job.polled, self._age(job))
        self.given_up(job)

    def given_up(self, job: WaitingJob) -> None:
        """Forget a job that is no longer waited for."""
        with self._lock:
            self._polling -= 1

    def _age(self, job: WaitingJob) -> float:
        return self._clock() - job.since

    def _move_due(self, now: float) -> None:
        """Find the jobs that are due, and postpone those of which it is known by now that they take longer."""
        while (job := self._later.due(now)) is not None:
            age = now - job.since
            if now >= job.until or self._durations.is_due(job.polled, age):
                self._due.add(job, job.since)
            else:
                later = replace(job, polled=self._durations.planned(job.polled, age, job.poll_interval))
                self._later.add(later, max(later.moment, math.nextafter(now, math.inf)))
