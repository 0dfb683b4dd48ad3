"""Proof before many: one request of an operation goes alone until an answer was read and its picture opened.

Claid's answers are known from its documentation only. If this version cannot read them, one paid request shows it, and
no more are sent. What was proven is remembered for the account, the operation and this version: in this process, beside
the receipts, and in the quota store. So is the quota that the answers named: a later task uses all of it at once.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_claid import __version__
from airflow_claid.client.text import shortened
from airflow_claid.errors import UnprovenAnswersError, is_retryable
from airflow_claid.orders.order import Order

if TYPE_CHECKING:
    from airflow_claid.client import ClaidClient

log: logging.Logger = logging.getLogger(__name__)

_MOST_DOUBTS = 2
"""So many requests may be paid for, in all tries, before an answer has proven readable."""

_SHOWN_CHARACTERS = 500
_TICK = 0.5

_proven: set[str] = set()
"""What has been proven in this process."""


class ProofRecords(Protocol):
    """Keeps what was proven beyond this process. What cannot be read or written counts as not proven."""

    def read(self, name: str) -> str | None:
        """Return a record; ``None`` if there is none."""

    def write(self, name: str, text: str) -> None:
        """Replace a record."""


@dataclass(frozen=True)
class _Standing:
    """What is known of one operation.

    :param proven: whether an answer was read and its picture opened, and none was unusable since.
    :param doubts: fingerprints of the requests since then whose answers could not be used.
    :param reason: why the last of them could not be used.
    :param retryable: whether a retry may use them.
    :param policies: the quota's policies that the answers named; empty if they named none.
    """

    proven: bool = False
    doubts: tuple[str, ...] = ()
    reason: str = ""
    retryable: bool = False
    policies: str = ""

    @classmethod
    def of_text(cls, text: str) -> _Standing:
        """Restore what :meth:`to_text` returned; of something else nothing is known."""
        with suppress(ValueError, KeyError, TypeError):
            facts: dict[str, Any] = json.loads(text)
            doubts = tuple(map(str, facts["doubts"]))
            return cls(
                facts["proven"] is True,
                doubts,
                str(facts["reason"]),
                facts["retryable"] is True,
                str(facts.get("policies", "")),
            )
        return cls()

    def to_text(self) -> str:
        """Return the standing as text."""
        return json.dumps(vars(self))


@dataclass
class Proof:
    """Lets many requests be sent at once only when one has been proven; shared by all threads of a task.

    :param client: sends the requests; it names the account, and knows its quota.
    :param records: returns where records are kept for an order, the nearest first.
    """

    client: ClaidClient | None = None
    records: Callable[[Order], tuple[ProofRecords, ...]] = lambda _: ()
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False, repr=False)
    _standings: dict[str, _Standing] = field(default_factory=dict, init=False, repr=False)
    _alone: set[str] = field(default_factory=set, init=False, repr=False)
    """Forms of answers of which one request is under way alone."""
    _failed: set[str] = field(default_factory=set, init=False, repr=False)
    """Forms of answers of which the request that went alone failed for good in this execution."""
    _working: int = field(default=0, init=False, repr=False)
    _waiting: int = field(default=0, init=False, repr=False)
    """Threads that fulfil an order, and those of them that wait for their turn."""

    def is_proven(self, order: Order) -> bool:
        """Return whether many requests of an order's operation may be sent at once."""
        with self._changed:
            return self._standing(order).proven

    @contextmanager
    def working(self) -> Iterator[None]:
        """Mark that a thread is fulfilling an order, and so may yet prove its operation."""
        with self._changed:
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def take_turn(self, order: Order, check_open: Callable[[], None], *, on_purpose: bool = False) -> Turn:
        """Wait until a request of an order's operation may be sent; while none is proven, until no other is under way.

        :param check_open: raises if nothing may be sent any more.
        :param on_purpose: whether it may be sent although the answers so far could not be used.
        :raises UnprovenAnswersError: if the answers so far could not be used.
        """
        form = order.answer_form
        with self._changed:
            self._waiting += 1
            try:
                while not self._standing(order).proven:
                    check_open()
                    busy = self._working > self._waiting
                    if form not in self._alone:
                        few = on_purpose or len(self._standing(order).doubts) < _MOST_DOUBTS
                        if few and form not in self._failed:
                            self._alone.add(form)
                            log.info("One request of %s goes alone, until its answer has been read", order.operation)
                            return Turn(self, order, alone=True)
                        if not busy:
                            raise self._unproven(order)
                    self._changed.wait(_TICK)
            finally:
                self._waiting -= 1
        return Turn(self, order, alone=False)

    def prove(self, order: Order) -> None:
        """Record that an answer was read and its picture opened."""
        with self._changed:
            standing = self._standing(order)
            policies = self._policies(order) or standing.policies
            if not standing.proven or standing.doubts or standing.policies not in ("", policies):
                self._record(order, _Standing(proven=True, policies=policies))
            self._failed.discard(order.answer_form)
            self._changed.notify_all()

    def doubt(self, order: Order, error: Exception) -> None:
        """Record that an answer, or its picture, could not be used; until one can, the next request goes alone."""
        with self._changed:
            standing = self._standing(order)
            is_new = order.fingerprint not in standing.doubts
            if is_new:
                doubtful = replace(
                    standing,
                    proven=False,
                    doubts=(*standing.doubts, order.fingerprint),
                    reason=str(error)[:_SHOWN_CHARACTERS],
                    retryable=is_retryable(error),
                )
                self._record(order, doubtful)
            if is_new and not standing.proven and not is_retryable(error):
                self._failed.add(order.answer_form)

    def end_turn(self, order: Order) -> None:
        """Let the next request of the operation be sent."""
        with self._changed:
            self._alone.discard(order.answer_form)
            self._changed.notify_all()

    def _unproven(self, order: Order) -> UnprovenAnswersError:
        standing = self._standing(order)
        return UnprovenAnswersError(
            f"No answer of {order.operation} has been read and its picture opened yet, and the last one could not be "
            f"used: {standing.reason}. So nothing more is sent, {shortened(order.subject)} included, and nothing more "
            "is charged. What is paid is kept in the receipts. Fix the cause, or upgrade airflow-claid, and clear the "
            "task; to let one more request go, delete _claid/proof/ beside the pictures",
            retryable=standing.retryable,
        )

    def _standing(self, order: Order) -> _Standing:
        name = self._name(order)
        if name not in self._standings:
            self._standings[name] = standing = self._remembered(order, name)
            if self.client is not None:
                self.client.pace(order.job_kind).expect(standing.policies)
        return self._standings[name]

    def _remembered(self, order: Order, name: str) -> _Standing:
        if name in _proven:
            return _Standing(proven=True)
        standings = []
        for records in self.records(order):
            text = records.read(name)
            if text:
                standings.append(_Standing.of_text(text))
                if standings[-1].proven:
                    break
        return next((one for one in standings if one.proven), standings[0] if standings else _Standing())

    def _record(self, order: Order, standing: _Standing) -> None:
        name = self._name(order)
        self._standings[name] = standing
        (_proven.add if standing.proven else _proven.discard)(name)
        for records in self.records(order):
            records.write(name, standing.to_text())

    def _policies(self, order: Order) -> str:
        return self.client.pace(order.job_kind).policies if self.client else ""

    def _name(self, order: Order) -> str:
        account = self.client.account if self.client else ""
        return _digest(order.base_url, account, order.answer_form, __version__)


@functools.lru_cache(maxsize=64)
def _digest(*facts: str) -> str:
    """Return a short digest of some facts, which are the same for all prompts of a batch."""
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


@dataclass
class Turn:
    """The right to send one request.

    :param alone: whether no other of the operation is sent until this turn ends.
    """

    proof: Proof
    order: Order
    alone: bool

    def end(self) -> None:
        """Let the next request be sent; may be called again."""
        if self.alone:
            self.alone = False
            self.proof.end_turn(self.order)
