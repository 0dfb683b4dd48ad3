"""Waiting for jobs: what one poll of a job means, when to poll again, and when the wait ends.

:func:`decide` is the one place where the wait for a job ends. The loop in a worker, the trigger and the sensor all
feed it. It knows no network and no clock.
"""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass, replace

from airflow_claid.client import ClaidError, ClaidValidationError, Job, JobKind, JobOutcome
from airflow_claid.client.finding import as_job_id
from airflow_claid.client.lists import flat
from airflow_claid.client.text import listed, shortened
from airflow_claid.errors import JobFailedError, JobGoneError, JobTimeoutError
from airflow_claid.waiting.decision import PATIENCE, Decision, WaitState

_SLIPS = {"None", "none", "null", "nan", "NaN"}
"""Texts that a template renders for a task that has not run."""

_FIRST_POLL = 1 / 8
_SHORTEST_PAUSE = 0.05

_GOES_ON = (
    "The time to wait is over. Claid cannot cancel a job: it goes on and is paid, and the next try waits for it "
    "again without paying"
)
_GONE = (
    "Claid does not know the job, or knows it no more. It was paid; check base URL and API key, or run with "
    "regenerate=True to ask, and pay, again"
)


@dataclass(frozen=True)
class JobDecision(Decision):
    """What to do after a poll of a job.

    :param job: as the poll showed it, where it showed one.
    """

    job: Job | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the job ended with something to show; of one that failed in part, that is delivered."""
        ended = (JobOutcome.DONE, JobOutcome.FAILED)
        return self.job is not None and self.job.outcome in ended and bool(self.job.outputs)

    @property
    def is_unread(self) -> bool:
        """Whether the job is done and reports no error, but its result holds no picture that can be found."""
        job = self.job
        return job is not None and job.outcome is JobOutcome.DONE and not job.outputs and not job.errors

    def raise_if_fruitless(self) -> None:
        """Raise what a wait that ended without a result raises, in whatever way it was waited.

        :raises JobFailedError: if Claid ended the job without a result; a job that Claid does not know is a
            :class:`JobGoneError`.
        :raises JobTimeoutError: if the time was over first; a retry waits for the same job, and pays nothing.
        :raises ClaidError: if the job could not be polled.
        """
        if self.state is WaitState.ENDED and not self.succeeded:
            raise JobFailedError(self.message)
        if self.state is WaitState.TIMED_OUT:
            raise JobTimeoutError(self.message)
        if self.state is WaitState.REFUSED and _is_unknown_job(self.error):
            raise JobGoneError(self.message)
        if self.state in (WaitState.REFUSED, WaitState.UNREACHABLE) and self.error is not None:
            raise self.error


def decide(
    name: str, polled: Job | Exception, *, failures: int = 0, overdue: bool = False, patience: int = PATIENCE
) -> JobDecision:
    """Decide what to do after a poll of a job.

    A status that nobody knows is waited out: Claid may have a new word for work in progress, and what is paid is not
    given up for a word. ``PAUSED`` is waited out too.

    :param name: what the job is called in messages.
    :param polled: the job as it is, or the error that the poll ended in.
    :param failures: how many polls in a row failed before this one.
    :param overdue: whether the time to wait is over.
    :param patience: so many failed polls in a row end the wait. A used-up quota is no failure.
    """
    if isinstance(polled, Job):
        ended = polled.outcome in (JobOutcome.DONE, JobOutcome.FAILED)
        state = WaitState.after_poll(ended=ended, overdue=overdue)
        decision = JobDecision(state, _description(name, polled), job=polled)
    else:
        decision = JobDecision.after_failure(name, polled, failures=failures, overdue=overdue, patience=patience)
    if decision.state is WaitState.TIMED_OUT:
        return replace(decision, message=f"{decision.message}. {_GOES_ON}")
    if decision.state is WaitState.REFUSED and _is_unknown_job(decision.error):
        return replace(decision, message=f"{decision.message}. {_GONE}")
    return decision


def _description(name: str, job: Job) -> str:
    if job.outcome is JobOutcome.DONE and job.outputs:
        return f"{name} is {job.status}: {len(job.outputs)} made"
    if job.outcome in (JobOutcome.DONE, JobOutcome.FAILED):
        return f"{name} ended as {job.status} without a result: {job.reasons}"
    unknown = ", a status that this version does not know" if job.outcome is JobOutcome.UNKNOWN else ""
    return f"{name} is {job.status}{unknown}"


def _is_unknown_job(error: Exception | None) -> bool:
    return isinstance(error, ClaidError) and error.status == 404


def pause(polls: int, poll_interval: float, left: float) -> float:
    """Return the seconds until the next poll: short at first, doubling up to the interval, not past the end.

    :param polls: how many polls there were.
    :param poll_interval: jitter only shortens it, by a twentieth at least, which leaves time for the poll itself: so
        a job's end is seen within one interval.
    :param left: seconds until the wait is over.
    """
    growing = poll_interval * min(1.0, _FIRST_POLL * 2.0 ** min(polls, 10))
    jittered = growing * random.uniform(0.8, 0.95)  # noqa: S311 - spreads polls, guards nothing
    return max(0.0, min(max(jittered, _SHORTEST_PAUSE), left))


def job_kind(value: object, name: str) -> JobKind:
    """Return the kind of job that a word means.

    :raises ClaidValidationError: if it means none.
    """
    try:
        return JobKind(value)
    except ValueError:
        kinds = ", ".join(kind.value for kind in JobKind)
        raise ClaidValidationError(f"{name}={shortened(value)} must be one of {kinds}") from None


def job_ids(value: object, name: str) -> list[int | str]:
    """Return a list of job ids from one, a list, the results of a mapped task, or text that a template rendered.

    :raises ClaidValidationError: if it is none of these, or empty.
    """
    given = list(flat(_read(value) if isinstance(value, str) else value))
    ids = [known for known in map(as_job_id, given) if known is not None and str(known) not in _SLIPS]
    if not given or len(ids) < len(given):
        raise ClaidValidationError(
            f"{name}={shortened(value)} must be the id of a job, or a list, as wait_for_completion=False gives it"
        )
    return list(dict.fromkeys(ids))


def _read(text: str) -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text


def goes_on(job_id: object, credits: float | None) -> str:  # noqa: A002 - Claid's own word
    """Return what to tell whoever kills a task: what that does not stop."""
    cost = f" and costs {credits:g} credits" if credits else ""
    ids = listed(job_id) if isinstance(job_id, (list, tuple)) else str(job_id).strip("[]")
    return (
        f"Claid cannot cancel a job: what was submitted (job {ids}) goes on{cost}. The next try "
        "of this task waits for it again without paying"
    )
