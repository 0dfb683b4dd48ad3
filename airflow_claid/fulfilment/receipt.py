"""Receipts: our record of each paid request, from the intent to the pictures in their place.

Claid has no idempotency key and cannot list what it has done, so these records are all that keeps a retry, a
clear or a backfill from paying again. Three things must hold:

- the intent is written before the request is sent, the answer before anything is done with it;
- a receipt that cannot be read is not a receipt that is not there: it stops the task;
- a receipt holds no key and no signed link.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from airflow_claid.delivery.image import DeliveredImage

log = logging.getLogger(__name__)

VERSION = 1


class ReceiptState(str, Enum):
    """How far a paid request has come."""

    INTENT = "intent"
    """About to be sent, or sent: it may have been paid."""
    REFUSED = "refused"
    """Sent and refused, or never sent: not paid."""
    SUBMITTED = "submitted"
    """Paid; a job is making the picture."""
    PAID = "paid"
    """Paid and answered; not all pictures are in their place yet."""
    FAILED = "failed"
    """Claid ended the job without a picture."""
    DELIVERED = "delivered"
    """All pictures are in their place."""
    BLOCKED = "blocked"
    """Delivered, and the content filter blacked out every picture."""

    @property
    def is_final(self) -> bool:
        """Whether the request is at its end, with pictures to show for it or blocked ones."""
        return self in (ReceiptState.DELIVERED, ReceiptState.BLOCKED)

    @property
    def is_paid(self) -> bool:
        """Whether the request is paid, and what it makes is on its way or there."""
        return self.is_final or self in (ReceiptState.SUBMITTED, ReceiptState.PAID)

    @property
    def has_nothing_to_lose(self) -> bool:
        """Whether the request was not paid, or made nothing."""
        return self in (ReceiptState.REFUSED, ReceiptState.FAILED)


@dataclass(frozen=True)
class Author:
    """Who asked: the task that wrote the receipt.

    :param generation: grows each time the task is cleared, not when it is retried.
    """

    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    try_number: int = 1
    generation: int = 0

    def same_attempt(self, other: Author) -> bool:
        """Whether both are tries of one and the same attempt, between which nobody cleared the task."""
        return replace(self, try_number=0) == replace(other, try_number=0)


@dataclass(frozen=True)
class Receipt:
    """One paid request.

    :param fingerprint: of the request.
    :param state: how far it has come.
    :param author: the task that asked last.
    :param operation: the contract's operation id.
    :param base_url: Claid's address with the version.
    :param subject: the prompt, or the input of an edit.
    :param body: what was asked.
    :param output: address of the place; empty for temporary links.
    :param name: what the user calls the pictures.
    :param edition: how many times it has been sent on purpose or for a lost answer.
    :param lost_answers: how many of those times the answer was lost.
    :param credits: what all editions have cost, as far as is known.
    :param credits_in_doubt: how much of that is of lost answers, which may not have been charged.
    :param asked_at: when the last edition's intent was written, ISO 8601 in UTC; the others likewise.
    :param before: what was at the exact destination before, so that it is not taken for the answer.
    :param reasons: what Claid said of the pictures that its job could not make.
    """

    fingerprint: str
    state: ReceiptState
    author: Author
    operation: str
    base_url: str
    subject: str
    body: dict[str, Any]
    output: str
    name: str | None
    edition: int = 1
    lost_answers: int = 0
    credits: float = 0.0
    credits_in_doubt: float = 0.0
    asked_at: str | None = None
    paid_at: str | None = None
    delivered_at: str | None = None
    before: str | None = None
    request_id: str | None = None
    job_id: int | None = None
    images: tuple[DeliveredImage, ...] = ()
    reasons: tuple[str, ...] = ()

    def evolve(self, **changes: Any) -> Receipt:
        """Give a copy with some facts changed."""
        return replace(self, **changes)

    def is_same_state(self, other: Receipt) -> bool:
        """Whether a receipt is still the one that was written, and nobody has written another since."""
        return (self.state, self.author, self.edition, self.asked_at) == (
            other.state,
            other.author,
            other.edition,
            other.asked_at,
        )

    def is_of_same_request(self, other: Receipt) -> bool:
        """Whether both are of one request that was sent, not of one that was sent again."""
        return (self.edition, self.job_id) == (other.edition, other.job_id)

    def to_json(self) -> dict[str, Any]:
        """Give all facts as JSON, the ones that a person looks for first."""
        facts = {field.name: getattr(self, field.name) for field in _FIELDS}
        images = [image.without_signed_links().to_json() for image in self.images]
        own = {"author": vars(self.author).copy(), "state": self.state.value}
        return {"version": VERSION, **facts, **own, "images": images, "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, facts: object) -> Receipt:
        """Read what :meth:`to_json` gave.

        :raises ValueError: if it is something else, or of a newer version.
        """
        if not isinstance(facts, Mapping) or not isinstance(facts.get("version"), int):
            raise ValueError("it is not a receipt")
        if facts["version"] > VERSION:
            raise ValueError(
                f"it is of version {facts['version']}; this airflow-claid reads up to {VERSION}: upgrade it"
            )
        known = {field.name for field in _FIELDS}
        values = {name: value for name, value in facts.items() if name in known}
        try:
            return cls(
                **{
                    **values,
                    "state": ReceiptState(values["state"]),
                    "author": Author(**values["author"]),
                    "images": tuple(DeliveredImage.from_json(image) for image in values["images"]),
                    "reasons": tuple(values.get("reasons", ())),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it lacks what a receipt has ({error})") from None


_FIELDS = fields(Receipt)
