"""What one poll means for the wait, whatever is waited for. Knows no network and no clock.

The loop in a worker, the triggers and the sensors all end a wait by these rules, so that the ways of waiting cannot
drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from airflow_claid.client import ClaidMissingConnectionError, ClaidRateLimitError
from airflow_claid.errors import is_retryable

PATIENCE = 5
"""So many polls in a row must fail before the wait does."""

_DecisionT = TypeVar("_DecisionT", bound="Decision")

TIME_FOR_LAST_POLL = 120.0
"""Seconds that the trigger has, after the wait is over, for its last poll, before Airflow ends it."""


class WaitState(str, Enum):
    """The state of a wait after a poll."""

    ENDED = "ended"
    """What was waited for has come: the job has ended, with or without a result, or the pictures are there."""
    WAIT = "wait"
    TIMED_OUT = "timed out"
    REFUSED = "refused"
    """No poll can succeed until somebody changes something."""
    UNREACHABLE = "unreachable"
    """Several polls in a row failed for reasons that may pass."""

    @classmethod
    def after_poll(cls, *, ended: bool, overdue: bool) -> WaitState:
        """Return the state after a poll that succeeded: what has come counts, even after the time to wait."""
        if ended:
            return cls.ENDED
        return cls.TIMED_OUT if overdue else cls.WAIT


@dataclass(frozen=True)
class Decision:
    """What to do after a poll.

    :param state: whether to poll again, or how the wait ended.
    :param message: what the poll showed, for the log or the error.
    :param failures: polls that failed in a row, to be handed to the next decision.
    :param error: in which the poll ended, where it failed.
    """

    state: WaitState
    message: str
    failures: int = 0
    error: Exception | None = None

    @classmethod
    def after_failure(
        cls: type[_DecisionT], subject: str, error: Exception, *, failures: int, overdue: bool, patience: int
    ) -> _DecisionT:
        """Decide what to do after a poll that failed. A used-up quota is no failure: it is waited out.

        A missing connection ends the wait at once: no further poll can succeed until somebody defines it.

        :param subject: what was polled, for the message.
        :param failures: how many polls in a row failed before this one.
        :param overdue: whether the time to wait is over.
        :param patience: so many failed polls in a row end the wait.
        """
        message = f"{subject} could not be polled: {type(error).__name__}: {error}"
        if not is_retryable(error) or isinstance(error, ClaidMissingConnectionError):
            return cls(WaitState.REFUSED, message, failures, error)
        if not isinstance(error, ClaidRateLimitError):
            failures += 1
            message += f" (failed polls in a row: {failures}; the wait ends at {patience})"
        if failures >= patience:
            return cls(WaitState.UNREACHABLE, message, failures, error)
        return cls(WaitState.after_poll(ended=False, overdue=overdue), message, failures, error)

    @property
    def final(self) -> bool:
        """Whether no further poll can show anything else."""
        return self.state in (WaitState.ENDED, WaitState.REFUSED)
