"""What a task that waits in the triggerer puts down, and reads again in the process that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_claid.fulfilment.receipt import Receipt

VERSION = 1


@dataclass(frozen=True)
class DeferredOrder:
    """An order that was begun.

    :param receipt: as it was then.
    :param credits: what this execution had spent on it.
    """

    receipt: Receipt
    credits: float


@dataclass(frozen=True)
class DeferredFailure:
    """An order that had failed.

    :param subject: its prompt or input.
    :param message: of the error.
    :param retryable: whether a retry may succeed.
    """

    subject: str
    message: str
    retryable: bool


@dataclass(frozen=True)
class DeferredState:
    """The orders of a task as they were when it began to wait. Holds no key and no signed link.

    :param deadline: until when to wait.
    :param begun: what is paid, and not complete.
    :param failed: what had failed.
    :param spent: credits that this execution had spent in all.
    :param parameters: what the operator needs besides its own parameters, as JSON.
    """

    deadline: datetime
    begun: tuple[DeferredOrder, ...]
    failed: tuple[DeferredFailure, ...]
    spent: float
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return all facts as JSON, for the arguments of ``execute_complete``."""
        return {
            "version": VERSION,
            "deadline": self.deadline.timestamp(),
            "begun": [{"receipt": one.receipt.to_json(), "credits": one.credits} for one in self.begun],
            "failed": [vars(one).copy() for one in self.failed],
            "spent": self.spent,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> DeferredState:
        """Read what :meth:`to_json` returned.

        :raises ValueError: if it is something else, or of another version.
        """
        if facts.get("version") != VERSION:
            raise ValueError(f"it is of version {facts.get('version')!r}; this airflow-claid reads version {VERSION}")
        try:
            return cls(
                deadline=datetime.fromtimestamp(facts["deadline"], timezone.utc),
                begun=tuple(DeferredOrder(Receipt.from_json(one["receipt"]), one["credits"]) for one in facts["begun"]),
                failed=tuple(DeferredFailure(**one) for one in facts["failed"]),
                spent=float(facts["spent"]),
                parameters=facts["parameters"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks what a deferred state has ({error})") from None
