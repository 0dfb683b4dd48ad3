"""How long jobs of each kind took lately, and so when to poll a job. Pure: it knows no clock.

A poll counts on the quota, so a job is polled first when most jobs of its kind have ended, and then at a fraction of
its age. What a poll shows is only that a job ended before or after it. So a job that had ended at its first poll counts
as a little shorter than planned, and one that had not as a little longer: the plan moves until the usual share of the
jobs has ended at the first poll.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, replace

from airflow_claid.client import JobKind
from airflow_claid.waiting.jobs import pause

_REMEMBERED = 50
_SHARE = 0.75
"""The first poll comes when about this share of the remembered durations is over."""

_SHORTER, _LONGER = 0.9, 1.1
_NEXT = 0.25
"""Part of a job's age after which it is polled again."""


@dataclass(frozen=True)
class PolledJob:
    """How often a job was polled, and when it is to be polled next; ages are in seconds since its submission.

    :param is_own: whether this process submitted it: only of these it is known when they ended.
    :param polls: how often it was polled.
    :param last: its age at the last poll.
    :param planned: the age at which it is to be polled next.
    """

    kind: JobKind
    is_own: bool = True
    polls: int = 0
    last: float = 0.0
    planned: float = 0.0


class JobDurations:
    """The durations of the last jobs of each kind; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[JobKind, deque[float]] = {}
        self._typical: dict[JobKind, float] = {}

    def typical(self, kind: JobKind) -> float | None:
        """Return the seconds in which most jobs of a kind have ended lately; ``None`` before any has."""
        return self._typical.get(kind)

    @property
    def longest(self) -> float | None:
        """The typical duration of the kind that takes longest."""
        return max(self._typical.values(), default=None)

    def planned(self, job: PolledJob, age: float, poll_interval: float) -> PolledJob:
        """Return a job with its next poll planned.

        :param age: of the job now.
        :param poll_interval: the longest time between two polls, but for the first.
        """
        typical = self.typical(job.kind)
        if typical is None:
            return replace(job, planned=age + pause(job.polls, poll_interval, math.inf))
        next_poll = job.last + min(poll_interval, _NEXT * job.last) if job.polls else age
        return replace(job, planned=max(typical, next_poll))

    def is_due(self, job: PolledJob, age: float) -> bool:
        """Return whether to poll a job now, and not only when more jobs of its age have ended."""
        return age >= max(job.planned, self.typical(job.kind) or 0.0)

    def running(self, job: PolledJob, age: float) -> PolledJob:
        """Return a job that was polled and had not ended; learn from it."""
        if job.is_own and not job.polls and self.typical(job.kind) is not None:
            self._learn(job.kind, _LONGER * age)
        return replace(job, polls=job.polls + 1, last=age)

    def ended(self, job: PolledJob, age: float) -> None:
        """Learn from a job that was polled and had ended; a poll that came late tells nothing of a long duration."""
        if job.is_own:
            latest = min(age, job.planned)
            self._learn(job.kind, (job.last + latest) / 2 if job.polls else _SHORTER * latest)

    def _learn(self, kind: JobKind, seconds: float) -> None:
        with self._lock:
            seen = self._seen.setdefault(kind, deque(maxlen=_REMEMBERED))
            seen.append(seconds)
            self._typical[kind] = sorted(seen)[int(len(seen) * _SHARE)]
