"""Waiting for jobs: what one look at a job means, when to look again, and when the wait ends.

:func:`decide` is the one place where the wait for a job ends. The loop in a worker, the trigger and the sensor all
feed it, so that the three ways of waiting cannot drift apart. It knows no network and no clock.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_claid.client import ClaidError, ClaidRateLimitError, ClaidValidationError, Job, JobKind, JobOutcome
from airflow_claid.client.text import shortened
from airflow_claid.errors import JobFailedError, JobGoneError, JobTimeoutError
from airflow_claid.version_compat import AirflowNotFoundException

PATIENCE = 5
"""So many polls in a row must fail before the wait does."""

_FIRST_POLL = 1 / 8
_SHORTEST_PAUSE = 0.05


class Waiting(str, Enum):
    """What a look at a job asks of whoever waits."""

    ENDED = "ended"
    """Claid has ended the job, with or without a result."""
    WAIT = "wait"
    TIMED_OUT = "timed out"
    REFUSED = "refused"
    """The job cannot be looked at until somebody changes something."""
    UNREACHABLE = "unreachable"
    """Several polls in a row failed for reasons that may pass."""


@dataclass(frozen=True)
class JobDecision:
    """What to do after a look at a job.

    :param waiting: the decision.
    :param message: what the look showed, for the log or the error.
    :param job: as the look showed it, where it showed one.
    :param error: in which the look ended, where it failed.
    :param failures: polls that failed in a row, to be handed to the next decision.
    """

    waiting: Waiting
    message: str
    job: Job | None = None
    error: Exception | None = None
    failures: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the job ended with something to show."""
        return self.job is not None and self.job.outcome is JobOutcome.DONE and bool(self.job.outputs)

    @property
    def final(self) -> bool:
        """Whether no further look at this job can show anything else."""
        return self.waiting in (Waiting.ENDED, Waiting.REFUSED)

    def raise_if_fruitless(self) -> None:
        """Raise what a wait that ended without a result raises, in whatever way it was waited.

        :raises JobFailedError: if Claid ended the job without a result; a job that Claid does not know is a
            :class:`JobGoneError`.
        :raises JobTimeoutError: if the time was over first; a retry waits for the same job, and pays nothing.
        :raises ClaidError: if the job could not be looked at.
        """
        if self.waiting is Waiting.ENDED and not self.succeeded:
            raise JobFailedError(self.message)
        if self.waiting is Waiting.TIMED_OUT:
            raise JobTimeoutError(self.message)
        if self.waiting is Waiting.REFUSED and getattr(self.error, "status", None) == 404:
            raise JobGoneError(self.message)
        if self.waiting in (Waiting.REFUSED, Waiting.UNREACHABLE) and self.error is not None:
            raise self.error


def decide(
    name: str, seen: Job | Exception, *, failures: int = 0, overdue: bool = False, patience: int = PATIENCE
) -> JobDecision:
    """Decide what to do after a look at a job.

    A status that nobody knows is waited out: Claid may have a new word for work in progress, and what is paid is not
    given up for a word. ``PAUSED`` is waited out too.

    :param name: what the job is called in messages.
    :param seen: the job as it is, or the error that the look ended in.
    :param failures: how many polls in a row failed before this one.
    :param overdue: whether the time to wait is over.
    :param patience: so many failed polls in a row end the wait. A used-up quota is no failure.
    """
    if isinstance(seen, Job):
        return _decided(name, seen, overdue=overdue)
    message = f"{name} could not be looked at: {seen}"
    if isinstance(seen, AirflowNotFoundException) or (isinstance(seen, ClaidError) and not seen.retryable):
        if getattr(seen, "status", None) == 404:
            message += (
                ". Claid does not know the job, or knows it no more. It was paid; check base URL and API key, or run "
                "with regenerate=True to ask, and pay, again"
            )
        return JobDecision(Waiting.REFUSED, message, error=seen)
    if not isinstance(seen, ClaidRateLimitError):
        failures += 1
        message += f" (failed polls in a row: {failures}; the wait ends at {patience})"
    if failures >= patience:
        return JobDecision(Waiting.UNREACHABLE, message, error=seen, failures=failures)
    if overdue:
        return JobDecision(Waiting.TIMED_OUT, f"{message}. {_GOES_ON}", error=seen, failures=failures)
    return JobDecision(Waiting.WAIT, message, error=seen, failures=failures)


_GOES_ON = (
    "The time to wait is over. Claid cannot cancel a job: it goes on and is paid, and the next try waits for it "
    "again without paying"
)


def _decided(name: str, job: Job, *, overdue: bool) -> JobDecision:
    if job.outcome is JobOutcome.DONE and job.outputs:
        return JobDecision(Waiting.ENDED, f"{name} is {job.status}: {len(job.outputs)} made", job)
    if job.outcome in (JobOutcome.DONE, JobOutcome.FAILED):
        return JobDecision(Waiting.ENDED, f"{name} ended as {job.status} without a result: {job.reasons}", job)
    unknown = ", a status that this version does not know" if job.outcome is JobOutcome.UNKNOWN else ""
    message = f"{name} is {job.status}{unknown}"
    if overdue:
        return JobDecision(Waiting.TIMED_OUT, f"{message}. {_GOES_ON}", job)
    return JobDecision(Waiting.WAIT, message, job)


def pause(polls: int, poll_interval: float, left: float) -> float:
    """Seconds until the next look: short at first, doubling up to the interval, with jitter, not past the end.

    :param polls: how many polls there were.
    :param poll_interval: jitter only shortens it, by a twentieth at least, which leaves time for the look itself: so
        a job's end is seen within one interval.
    :param left: seconds until the wait is over.
    """
    growing = poll_interval * min(1.0, _FIRST_POLL * 2.0 ** min(polls, 10))
    jittered = growing * random.uniform(0.8, 0.95)  # noqa: S311 - spreads polls, guards nothing
    return max(0.0, min(max(jittered, _SHORTEST_PAUSE), left))


def job_kind(value: object, name: str) -> JobKind:
    """Give the kind of job that a word means.

    :raises ClaidValidationError: if it means none.
    """
    try:
        return JobKind(value)
    except ValueError:
        kinds = ", ".join(kind.value for kind in JobKind)
        raise ClaidValidationError(f"{name}={shortened(value)} must be one of {kinds}") from None


def job_numbers(value: object, name: str) -> list[int]:
    """Give a list of job ids from one, a list, the results of a mapped task, or text that a template rendered.

    :raises ClaidValidationError: if it is none of these, or empty.
    """
    found = list(_flat(_read(value) if isinstance(value, str) else value))
    if not found or not all(_is_number(one) for one in found):
        raise ClaidValidationError(
            f"{name}={shortened(value)} must be the number of a job, or a list, as wait_for_completion=False gives it"
        )
    return list(dict.fromkeys(int(str(one)) for one in found))


def _read(text: str) -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text


def _flat(value: object) -> Iterator[object]:
    """Go through a list, and through the lists in it; what Airflow gives for a mapped task only behaves like one."""
    if isinstance(value, (str, bytes, Mapping)) or not (hasattr(value, "__getitem__") and hasattr(value, "__len__")):
        yield value
        return
    for item in value:  # type: ignore[attr-defined]
        yield from _flat(item)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, str)) and str(value).strip().isdecimal()
