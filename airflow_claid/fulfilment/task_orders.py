"""Errands: the orders of one task, all asked for first and then waited for; one that fails stops no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow_claid.client import ClaidRequestError
from airflow_claid.client.text import shortened
from airflow_claid.errors import JobFailedError, JobTimeoutError, PartialFailureError, PictureError, is_retryable
from airflow_claid.fulfilment.budget import check_ceiling
from airflow_claid.fulfilment.fulfilment import Begun, Fulfilled, Fulfilment
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.orders.order import Order
from airflow_claid.version_compat import THREADS_AT_ONCE

_OF_ONE_ORDER = (ClaidRequestError, JobFailedError, JobTimeoutError, PictureError)
"""What concerns one order; any other error concerns them all and ends the task_orders."""


class _StoppedError(Exception):
    """The task_orders ends, so nothing more is sent."""


class _Purse:
    """What the threads of an task_orders spend together, kept below ``max_credits``.

    :param fulfilment: of the whole task_orders; its ``spent`` is the sum.
    :param stopped: whether nothing more may be paid.
    """

    def __init__(self, fulfilment: Fulfilment) -> None:
        self.stopped = False
        self._whole = fulfilment
        self._lock = threading.Lock()
        self._reserved = 0.0

    @contextmanager
    def branch(self) -> Iterator[Fulfilment]:
        """Give a fulfilment for one order, whose ceiling is what the others leave."""
        reserved: list[float] = []

        def reserve(order: Order) -> None:
            with self._lock:
                self._go_on()
                check_ceiling(order, self._whole.spent + self._reserved, self._whole.terms.max_credits)
                self._reserved += order.credits
                reserved.append(order.credits)

        self._go_on()
        terms = replace(self._whole.terms, max_credits=None)
        branch = replace(self._whole, terms=terms, spent=0.0, before_paying=reserve, before_waiting=self._go_on)
        try:
            yield branch
        except Exception:
            self.stopped = True
            raise
        finally:
            with self._lock:
                self._reserved -= sum(reserved)
                self._whole.spent += branch.spent

    def _go_on(self) -> None:
        if self.stopped:
            raise _StoppedError


@dataclass
class TaskOrders:
    """The orders of one task.

    :param fulfilment: fulfils each of them.
    :param orders: what is asked.
    :param begun: what is paid, and not completed yet.
    :param failed: what went wrong with which input.
    """

    fulfilment: Fulfilment
    orders: Sequence[Order]
    begun: list[Begun] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)

    def begin(self) -> None:
        """See to it that all orders are paid, several at a time; see :meth:`Fulfilment.begin`."""
        if len(self.orders) == 1:
            self._begin(self.fulfilment, self.orders[0])
            return
        try:
            self._begin_several()
        finally:
            place_of = {id(order): position for position, order in enumerate(self.orders)}
            self.begun.sort(key=lambda one: place_of[id(one.order)])
            self.failed = {one.subject: self.failed[one.subject] for one in self.orders if one.subject in self.failed}

    def _begin_several(self) -> None:
        """Begin all orders in a few threads; what concerns them all, or ends the task, stops the rest.

        Orders of one fingerprint are one request: they are begun one after the other, so that the second finds the
        receipt of the first.
        """
        purse = _Purse(self.fulfilment)
        same: dict[str, list[Order]] = {}
        for order in self.orders:
            same.setdefault(order.fingerprint, []).append(order)

        def begin(orders: list[Order]) -> None:
            for order in orders:
                with purse.branch() as fulfilment:
                    self._begin(fulfilment, order)

        with ThreadPoolExecutor(THREADS_AT_ONCE, thread_name_prefix="claid-task_orders") as pool:
            try:
                futures = [pool.submit(begin, orders) for orders in same.values()]
                errors = [future.exception() for future in futures]
            except BaseException:
                purse.stopped = True
                raise
        for error in errors:
            if error is not None and not isinstance(error, _StoppedError):
                raise error

    def _begin(self, fulfilment: Fulfilment, order: Order) -> None:
        try:
            self.begun.append(fulfilment.begin(order))
        except _OF_ONE_ORDER as error:
            self.failed[order.subject] = error

    def complete(self, deadline: datetime) -> list[Fulfilled]:
        """Wait for the jobs, bring all pictures to their place; see :meth:`Fulfilment.complete`.

        :param deadline: until when to wait for all of them together.
        """
        results = []
        for one in list(self.begun):
            try:
                results.append(self.fulfilment.complete(one, deadline))
            except _OF_ONE_ORDER as error:
                self.failed[one.order.subject] = error
            self.begun.remove(one)
        return results

    @property
    def waiting(self) -> list[int]:
        """The ids of the jobs that are not known to have ended."""
        return [one.receipt.job_id for one in self.begun if one.waiting and one.receipt.job_id is not None]

    @property
    def job_ids(self) -> list[int]:
        """The ids of the jobs of what is not completed yet, of this execution or an earlier one."""
        return [one.receipt.job_id for one in self.begun if one.receipt.job_id is not None]

    @property
    def credits(self) -> float:
        """What the jobs that are waited for cost, as far as is known."""
        return sum(one.order.credits for one in self.begun if one.waiting)

    def raise_failures(self) -> None:
        """Raise what went wrong, if anything did: of one order its own error, of several one that tells of all.

        :raises PartialFailureError: if some of several orders failed; retryable if one of them may succeed on a retry.
        """
        if not self.failed:
            return
        if len(self.orders) == 1:
            raise next(iter(self.failed.values()))
        what, several = ("input", "pictures") if self.orders[0].input is not None else ("prompt", "prompts")
        reasons = "; ".join(f"{what}={shortened(subject)}: {error}" for subject, error in self.failed.items())
        raise PartialFailureError(
            f"{len(self.failed)} of {len(self.orders)} {several} failed, the others are kept and not paid again. "
            f"{reasons}",
            retryable=any(is_retryable(error) for error in self.failed.values()),
        )

    def to_json(self) -> dict[str, Any]:
        """Give what :meth:`resumed` needs in another process: no key, no signed link."""
        return {
            "begun": [{"receipt": one.receipt.to_json(), "credits": one.credits} for one in self.begun],
            "spent": self.fulfilment.spent,
            "failed": {
                subject: {"message": str(error), "retryable": is_retryable(error)}
                for subject, error in self.failed.items()
            },
        }

    @classmethod
    def resumed(cls, fulfilment: Fulfilment, orders: Sequence[Order], facts: Mapping[str, Any]) -> TaskOrders:
        """Go on with what :meth:`to_json` gave; nothing is asked for again.

        :raises PartialFailureError: if an order that was paid is no longer among the orders, because its input changed.
        """
        task_orders = cls(fulfilment, orders)
        fulfilment.spent = float(facts["spent"])
        carried: dict[str, list[Mapping[str, Any]]] = {}
        for one in facts["begun"]:
            carried.setdefault(one["receipt"]["fingerprint"], []).append(one)
        changed = []
        for order in orders:
            if carried.get(order.fingerprint):
                one = carried[order.fingerprint].pop(0)
                task_orders.begun.append(fulfilment.resume(order, Receipt.from_json(one["receipt"]), one["credits"]))
            elif order.subject not in facts["failed"]:
                changed.append(order.subject)
        left = [one["receipt"]["subject"] for several in carried.values() for one in several]
        if changed or left:
            names = ", ".join(shortened(name) for name in changed or left)
            raise PartialFailureError(
                f"{names} changed while the task waited, so its job is of another picture. A retry asks, and pays, for "
                "what is there now",
                retryable=True,
            )
        for subject, said in facts["failed"].items():
            task_orders.failed[subject] = PartialFailureError(said["message"], retryable=said["retryable"])
        return task_orders
