"""Receipts: our record of each paid request, from the intent to the delivered pictures.

Claid has no idempotency key and cannot list past requests, so only these records keep a retry, a clear or a backfill
from paying again. Three rules must hold:

- the intent is written before the request is sent, and the answer, as it came, before it is read;
- an unreadable receipt is not a missing one: it stops the task;
- a receipt holds no key, and a signed link only until its picture is in place.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.kept_answer import KeptAnswer
from airflow_claid.fulfilment.receipt_checks import check

log: logging.Logger = logging.getLogger(__name__)

VERSION = 1


class ReceiptState(str, Enum):
    """How far a paid request has come."""

    INTENT = "intent"
    """About to be sent, or sent: it may have been paid."""
    REFUSED = "refused"
    """Sent and refused, or never sent: not paid."""
    UNREAD = "unread"
    """Paid for and answered; the answer is kept as it came, and has not been read, or cannot be."""
    SUBMITTED = "submitted"
    """Paid for; a job is making the picture."""
    PAID = "paid"
    """Paid for and answered; not all pictures are delivered yet."""
    FAILED = "failed"
    """Claid ended the job without a picture."""
    DELIVERED = "delivered"
    """All pictures are delivered."""
    BLOCKED = "blocked"
    """Delivered, but the content filter blocked every picture."""

    @property
    def is_final(self) -> bool:
        """Whether the request is complete, with usable or blocked pictures."""
        return self in (ReceiptState.DELIVERED, ReceiptState.BLOCKED)

    @property
    def is_paid(self) -> bool:
        """Whether the request is paid for, and its pictures are being made or are there."""
        return self.is_final or self in (ReceiptState.UNREAD, ReceiptState.SUBMITTED, ReceiptState.PAID)

    @property
    def has_nothing_to_lose(self) -> bool:
        """Whether the request was not paid for, or made nothing."""
        return self in (ReceiptState.REFUSED, ReceiptState.FAILED)


@dataclass(frozen=True)
class Author:
    """The task that wrote the receipt.

    :param generation: grows each time the task is cleared, but not when it is retried.
    :param process: identifies the process that ran it; see :mod:`.liveness`.
    """

    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    try_number: int = 1
    generation: int = 0
    process: str = ""

    def is_same_task(self, other: Author) -> bool:
        """Return whether both are the same task instance, in whichever try."""
        return (self.dag_id, self.run_id, self.task_id, self.map_index) == (
            other.dag_id,
            other.run_id,
            other.task_id,
            other.map_index,
        )

    @property
    def task(self) -> str:
        """The task instance as a text: ``DAG/RUN/TASK``, and its map index where it has one."""
        mapped = f"/{self.map_index}" if self.map_index >= 0 else ""
        return f"{self.dag_id}/{self.run_id}/{self.task_id}{mapped}"

    def same_attempt(self, other: Author) -> bool:
        """Return whether both are tries of the same attempt: nobody cleared the task in between."""
        return replace(self, try_number=0, process="") == replace(other, try_number=0, process="")


@dataclass(frozen=True)
class Charge:
    """One payment of a request.

    :param at: when it was answered, or sent if its answer is lost; ISO 8601 with its zone.
    :param author: the task that sent it.
    :param credits: what it cost.
    :param in_doubt: what it may have cost, because its answer is lost.
    """

    at: str
    author: Author
    credits: float = 0.0
    in_doubt: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**vars(self), "author": vars(self.author).copy()}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Charge:
        """Restore what :meth:`to_json` returned."""
        return cls(**{**facts, "author": Author(**facts["author"])})


@dataclass(frozen=True)
class Receipt:
    """One paid request.

    :param fingerprint: of the request.
    :param state: how far it has come.
    :param author: the last task that sent it.
    :param operation: the contract's operation id.
    :param base_url: Claid's address with the version.
    :param subject: the prompt, or the input of an edit.
    :param body: the request's body.
    :param output: address of the place; empty for temporary links.
    :param name: the user's name for the pictures.
    :param edition: how many times it has been sent on purpose or because an answer was lost.
    :param lost_answers: how many of those times the answer was lost.
    :param credits: total cost of all editions, as far as is known.
    :param credits_in_doubt: the part of the cost for lost answers, which may not have been charged.
    :param asked_at: when the last edition's intent was written, ISO 8601 in UTC; ``paid_at`` and ``delivered_at``
        likewise.
    :param before: state of the exact destination before the request, so that an old file is not taken for the answer.
    :param answer: the answer as it came, until its pictures are in place or its job is known.
    :param signed: whether this or an earlier state holds a link that may be signed.
    :param reasons: why the job could not make some pictures, in Claid's words.
    :param fallback_of: the fingerprint of the request in place of which it was sent, because that was blocked.
    :param earlier: what was paid for it before it was sent the last time.
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
    job_id: int | str | None = None
    answer: KeptAnswer | None = None
    signed: bool = False
    images: tuple[DeliveredImage, ...] = ()
    reasons: tuple[str, ...] = ()
    fallback_of: str | None = None
    earlier: tuple[Charge, ...] = ()

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What was paid for the request so far, oldest first."""
        in_doubt = self.credits_in_doubt - sum(one.in_doubt for one in self.earlier)
        certain = self.credits - self.credits_in_doubt - sum(one.credits for one in self.earlier)
        if not in_doubt and not certain:
            return self.earlier
        return (*self.earlier, Charge(self.paid_at or self.asked_at or "", self.author, certain, in_doubt))

    def evolve(self, **changes: Any) -> Receipt:
        """Return a copy with some fields changed; :func:`dataclasses.replace` would take five times as long."""
        if not changes.keys() <= _NAMES:
            raise TypeError(f"a receipt has no {', '.join(sorted(changes.keys() - _NAMES))}")
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), **changes)
        return copy

    def is_same_state(self, other: Receipt) -> bool:
        """Return whether both are the same version of a receipt: nobody has written another in between."""
        return (self.state, self.author, self.edition, self.asked_at) == (
            other.state,
            other.author,
            other.edition,
            other.asked_at,
        )

    def is_of_same_request(self, other: Receipt) -> bool:
        """Return whether both are of the same sent request, not of a later edition."""
        return (self.edition, self.job_id) == (other.edition, other.job_id)

    def without_links(self) -> Receipt:
        """Return a copy without the answer and without signed links, for a place that must not hold them."""
        return self.evolve(answer=None, images=tuple(image.without_signed_links() for image in self.images))

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as JSON, with the facts that a person looks for first."""
        own = {
            "author": vars(self.author).copy(),
            "state": self.state.value,
            "images": [image.to_json() for image in self.images],
            "answer": self.answer.to_json() if self.answer else None,
            "reasons": list(self.reasons),
            "earlier": [charge.to_json() for charge in self.earlier],
        }
        facts = {"version": VERSION, **vars(self), **own}
        if self.fallback_of is None:
            del facts["fallback_of"]
        if not self.earlier:
            del facts["earlier"]
        return facts

    @classmethod
    def from_json(cls, facts: object) -> Receipt:
        """Restore a receipt from what :meth:`to_json` returned.

        :raises ValueError: if it is something else, or of a newer version.
        """
        if not isinstance(facts, Mapping) or not isinstance(facts.get("version"), int):
            raise ValueError("it is not a receipt")
        if facts["version"] > VERSION:
            raise ValueError(
                f"it is of version {facts['version']}; this airflow-claid reads up to {VERSION}: upgrade it"
            )
        values = {name: value for name, value in facts.items() if name in _NAMES}
        check(values)
        try:
            return cls(
                **{
                    **values,
                    "state": ReceiptState(values["state"]),
                    "author": Author(**values["author"]),
                    "answer": KeptAnswer.from_json(values["answer"]) if values.get("answer") else None,
                    "images": tuple(DeliveredImage.from_json(image) for image in values["images"]),
                    "reasons": tuple(values.get("reasons", ())),
                    "earlier": tuple(Charge.from_json(charge) for charge in values.get("earlier", ())),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it lacks what a receipt has ({error})") from None


_NAMES = frozenset(field.name for field in fields(Receipt))
