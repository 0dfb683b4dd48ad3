"""The state that a task saves before it waits in the triggerer, and reads when it resumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_claid.fulfilment.receipt import Receipt

VERSION = 1


@dataclass(frozen=True)
class DeferredOrder:
    """An order that was begun before the wait.

    :param receipt: as it was then.
    :param credits: what this execution had spent on it.
    :param deadline: when to stop waiting for its job.
    """

    receipt: Receipt
    credits: float
    deadline: datetime


@dataclass(frozen=True)
class DeferredFailure:
    """An order that failed before the wait.

    :param subject: its prompt or input.
    :param message: of the error.
    :param retryable: whether a retry may succeed.
    :param credits: what this execution had spent on it.
    :param of_all: whether the cause concerns all orders.
    """

    subject: str
    message: str
    retryable: bool
    credits: float = 0.0
    of_all: bool = False


@dataclass(frozen=True)
class DeferredState:
    """The orders of a task when it began to wait. Holds no key and no signed link.

    :param deadline: when to stop waiting for the last job.
    :param begun: orders that are paid for but not complete.
    :param failed: orders that failed.
    :param spent: all credits that this execution had spent.
    :param parameters: what the operator needs besides its own parameters, as JSON.
    """

    deadline: datetime
    begun: tuple[DeferredOrder, ...]
    failed: tuple[DeferredFailure, ...]
    spent: float
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON, for the arguments of ``execute_complete``."""
        return {
            "version": VERSION,
            "deadline": self.deadline.timestamp(),
            "begun": [
                {
                    "receipt": one.receipt.without_links().to_json(),
                    "credits": one.credits,
                    "deadline": one.deadline.timestamp(),
                }
                for one in self.begun
            ],
            "failed": [vars(one).copy() for one in self.failed],
            "spent": self.spent,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> DeferredState:
        """Restore the state from what :meth:`to_json` returned.

        Earlier versions of airflow-claid knew one deadline for all orders.

        :raises ValueError: if it is something else, or of another version.
        """
        if facts.get("version") != VERSION:
            raise ValueError(f"it is of version {facts.get('version')!r}; this airflow-claid reads version {VERSION}")
        try:
            last = facts["deadline"]
            return cls(
                deadline=_time(last),
                begun=tuple(
                    DeferredOrder(Receipt.from_json(one["receipt"]), one["credits"], _time(one.get("deadline", last)))
                    for one in facts["begun"]
                ),
                failed=tuple(DeferredFailure(**one) for one in facts["failed"]),
                spent=float(facts["spent"]),
                parameters=facts["parameters"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks what a deferred state has ({error})") from None


def _time(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, timezone.utc)
