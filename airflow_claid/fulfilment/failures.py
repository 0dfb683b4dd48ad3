"""What failed among the orders of one task, and whether the others may go on without it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow_claid.client import ClaidRequestError
from airflow_claid.client.text import listed, shortened
from airflow_claid.client.values import without_nulls
from airflow_claid.errors import (
    JobFailedError,
    JobGoneError,
    JobTimeoutError,
    LinkNotAllowedError,
    PartialFailureError,
    PictureError,
    UnreadAnswerError,
    is_retryable,
)

if TYPE_CHECKING:
    from airflow_claid.orders.order import Order

OF_ONE_ORDER = (ClaidRequestError, JobFailedError, JobTimeoutError, PictureError, UnreadAnswerError)
"""Errors of one order; any other error concerns all orders and ends the task."""

_SHOWN_CHARACTERS = 300
FAILURES_OF_AN_OUTAGE = 40
"""This many inputs in a row that fail for passing reasons mean an outage, not bad luck."""


@dataclass(frozen=True)
class Failure:
    """An order that failed, or an input of which no order could be made.

    :param subject: its prompt or input, as it may be shown.
    :param error: why.
    :param credits: what this execution spent on it.
    :param of_all: whether the cause concerns all orders although the error is of this one: it is never left out.
    """

    subject: str
    error: Exception
    credits: float = 0.0
    of_all: bool = False
    input: str | None = None
    name: str | None = None
    prompt: str | None = None

    @classmethod
    def of(cls, order: Order, error: Exception, credits: float, *, of_all: bool = False) -> Failure:  # noqa: A002
        """Return the failure of an order.

        A link that may not be followed is forbidden by a setting, so it concerns all.
        """
        of_all = of_all or isinstance(error, LinkNotAllowedError)
        return cls(order.subject, error, credits, of_all, order.input, order.name, order.prompt)

    @property
    def retryable(self) -> bool:
        """Whether a retry may succeed."""
        return is_retryable(self.error)

    @property
    def gone(self) -> bool:
        """Whether Claid does not know its job."""
        return isinstance(self.error, JobGoneError)

    @property
    def shown(self) -> str:
        """What failed and why, for a line of the log."""
        reason = str(self.error)
        cut = f"{reason[:_SHOWN_CHARACTERS]}…" if len(reason) > _SHOWN_CHARACTERS else reason
        return f"{shortened(self.subject)} failed: {cut}"

    def to_json(self) -> dict[str, Any]:
        """Return it as XCom ``images`` has it."""
        facts = {
            "input": self.input,
            "error": str(self.error),
            "name": self.name,
            "prompt": self.prompt,
            "credits": self.credits,
        }
        return without_nulls(facts)


def may_be_passed_over(
    outcomes: Sequence[Failure | None], *, succeeded: bool, jobs_known: bool, last_try: bool
) -> bool:
    """Return whether a task may go on without what failed.

    It may not if nothing succeeded, if a cause concerns all, or while a retry may fix a failure and there is one.

    :param outcomes: what failed, and ``None`` for what did not, in the order of the inputs.
    :param succeeded: whether any order succeeded.
    :param jobs_known: whether Claid knew any job that it was asked for. If it knows none, the key may be of another
        account.
    :param last_try: whether the task will not be retried.
    """
    failures = [failure for failure in outcomes if failure is not None]
    if not succeeded or any(failure.of_all for failure in failures):
        return False
    if not jobs_known and any(failure.gone for failure in failures):
        return False
    passing = [failure is not None and failure.retryable for failure in outcomes]
    return not any(passing) or (last_try and not _is_outage(passing))


def _is_outage(passing: Sequence[bool]) -> bool:
    """Return whether so much failed for passing reasons that the reason is the same for all.

    :param passing: whether each input failed for a reason that may pass.
    """
    rows = (sum(row) for failed, row in groupby(passing) if failed)
    return 2 * sum(passing) > len(passing) or max(rows) >= FAILURES_OF_AN_OUTAGE


def error_of(failures: Collection[Failure], number: int, plural: str) -> Exception:
    """Return the error of a task some of whose orders failed: the only order's own, or one that names the first few.

    :param number: of all orders.
    :param plural: what they are: pictures, or prompts.
    """
    if number == 1:
        return next(iter(failures)).error
    parameter = "prompt" if plural == "prompts" else "input"
    reasons = [f"{parameter}={shortened(failure.subject)}: {failure.error}" for failure in failures]
    kept = "; the others are kept and not paid for again" if len(failures) < number else ""
    return PartialFailureError(
        f"{len(failures):,} of {number:,} {plural} failed{kept}. {listed(reasons, '; ')}",
        retryable=any(failure.retryable for failure in failures),
    )
