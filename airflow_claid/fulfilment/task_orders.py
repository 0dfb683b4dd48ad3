"""The orders of one task: all are sent before the first is waited for; one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from airflow_claid.client import ClaidRequestError
from airflow_claid.client.text import shortened
from airflow_claid.errors import (
    AirflowClaidError,
    JobFailedError,
    JobTimeoutError,
    PartialFailureError,
    PictureError,
    UnreadAnswerError,
    is_retryable,
)
from airflow_claid.fulfilment.deferred import DeferredFailure, DeferredOrder, DeferredState
from airflow_claid.fulfilment.fulfilment import Begun, Fulfilled, Fulfilment
from airflow_claid.orders.order import Order

_OF_ONE_ORDER = (ClaidRequestError, JobFailedError, JobTimeoutError, PictureError, UnreadAnswerError)
"""Errors of one order; any other error concerns all orders and ends the task."""


class _StoppedError(AirflowClaidError):
    """The task is ending, so nothing more is sent."""


@dataclass
class TaskOrders:
    """The orders of one task.

    :param fulfilment: fulfils each of them.
    :param orders: what to fulfil.
    :param threads: how many orders to begin at once.
    :param begun: orders that are paid for but not complete yet.
    :param failed: errors by prompt or input.
    """

    fulfilment: Fulfilment
    orders: Sequence[Order]
    threads: int = 8
    begun: list[Begun] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)

    def begin(self, deadline: datetime | None = None) -> None:
        """Make sure that all orders are paid for, several at a time; see :meth:`Fulfilment.begin`.

        While no answer of the operation has been proven readable, they are sent one at a time.

        :param deadline: until when the job of one that goes alone is waited for; ``None`` for not at all.
        """
        if len(self.orders) == 1:
            self._begin(self.orders[0])
            return
        try:
            self._begin_several(self._begin_alone(deadline))
        finally:
            position_of = {id(order): position for position, order in enumerate(self.orders)}
            self.begun.sort(key=lambda one: position_of[id(one.order)])
            self.failed = {one.subject: self.failed[one.subject] for one in self.orders if one.subject in self.failed}

    def _begin_alone(self, deadline: datetime | None) -> Sequence[Order]:
        """Begin one order after the other until an answer has been proven readable; return the orders that are left."""
        for number, order in enumerate(self.orders):
            if self.fulfilment.proof.is_proven(order):
                return self.orders[number:]
            one = self._begin(order)
            if one is not None and one.turn is not None:
                if deadline is not None:
                    self._prove(one, deadline)
                one.turn.end()
        return ()

    def _prove(self, one: Begun, deadline: datetime) -> None:
        """Complete an order at once, so that its answer is proven readable."""
        self.begun.remove(one)
        try:
            self.begun.append(self.fulfilment.completed(one, deadline))
        except _OF_ONE_ORDER as error:
            self.failed[one.order.subject] = error

    def _begin_several(self, orders: Sequence[Order]) -> None:
        """Begin orders in a few threads; an error that concerns all of them stops the rest.

        Orders with the same fingerprint are one request: they are begun one after the other, so that the second finds
        the receipt of the first.
        """
        budget = self.fulfilment.budget
        by_fingerprint: dict[str, list[Order]] = {}
        for order in orders:
            by_fingerprint.setdefault(order.fingerprint, []).append(order)

        def begin(orders: list[Order]) -> None:
            try:
                for order in orders:
                    budget.check_open()
                    one = self._begin(order)
                    if one is not None and one.turn is not None:
                        one.turn.end()  # what it made is looked at when all are begun
            except Exception:
                budget.close(_StoppedError)
                raise

        with ThreadPoolExecutor(self.threads, thread_name_prefix="claid-orders") as pool:
            try:
                futures = [pool.submit(begin, orders) for orders in by_fingerprint.values()]
                errors = [future.exception() for future in futures]
            except BaseException:
                budget.close(_StoppedError)
                raise
        for error in errors:
            if error is not None and not isinstance(error, _StoppedError):
                raise error

    def _begin(self, order: Order) -> Begun | None:
        """Begin an order; ``None`` if it failed."""
        try:
            one = self.fulfilment.begin(order)
        except _OF_ONE_ORDER as error:
            self.failed[order.subject] = error
            return None
        self.begun.append(one)
        return one

    def complete(self, deadline: datetime) -> list[Fulfilled]:
        """Wait for the jobs and deliver all pictures; see :meth:`Fulfilment.complete`.

        :param deadline: when to stop waiting, for all jobs together.
        """
        return self._complete(list(self.begun), deadline)

    def complete_without_waiting(self, deadline: datetime) -> list[Fulfilled]:
        """Deliver the pictures that are made; jobs that have not ended stay begun."""
        return self._complete([one for one in self.begun if not one.waiting], deadline)

    def _complete(self, begun: Sequence[Begun], deadline: datetime) -> list[Fulfilled]:
        results = []
        for one in begun:
            try:
                results.append(self.fulfilment.complete(one, deadline))
            except _OF_ONE_ORDER as error:
                self.failed[one.order.subject] = error
            self.begun.remove(one)
        return results

    @property
    def spent(self) -> float:
        """Credits that this execution has spent, as far as is known."""
        return self.fulfilment.budget.spent

    @property
    def waiting(self) -> list[int | str]:
        """Ids of the jobs that may still be running."""
        return [one.receipt.job_id for one in self.begun if one.waiting and one.receipt.job_id is not None]

    @property
    def job_ids(self) -> list[int | str]:
        """Ids of the jobs of all orders that are not complete yet, from this execution or an earlier one."""
        return [one.receipt.job_id for one in self.begun if one.receipt.job_id is not None]

    @property
    def credits(self) -> float:
        """Price of the jobs that may still be running, as far as is known."""
        return sum(one.order.credits for one in self.begun if one.waiting)

    def raise_failures(self) -> None:
        """Raise if an order failed: the error of a single order, or one error that names all failures of several.

        :raises PartialFailureError: if some of several orders failed; retryable if one of them may succeed on a retry.
        """
        if not self.failed:
            return
        if len(self.orders) == 1:
            raise next(iter(self.failed.values()))
        parameter, plural = ("input", "pictures") if self.orders[0].input is not None else ("prompt", "prompts")
        reasons = "; ".join(f"{parameter}={shortened(subject)}: {error}" for subject, error in self.failed.items())
        raise PartialFailureError(
            f"{len(self.failed)} of {len(self.orders)} {plural} failed; the others are kept and not paid for again. "
            f"{reasons}",
            retryable=any(is_retryable(error) for error in self.failed.values()),
        )

    def deferred(self, deadline: datetime) -> DeferredState:
        """Return the state that :meth:`resumed` needs in another process."""
        return DeferredState(
            deadline=deadline,
            begun=tuple(DeferredOrder(one.receipt, one.credits) for one in self.begun),
            failed=tuple(
                DeferredFailure(subject, str(error), is_retryable(error)) for subject, error in self.failed.items()
            ),
            spent=self.spent,
        )

    @classmethod
    def resumed(cls, fulfilment: Fulfilment, orders: Sequence[Order], state: DeferredState) -> TaskOrders:
        """Resume from the state that :meth:`deferred` returned; nothing is requested again.

        :raises PartialFailureError: if a paid order is no longer among the orders because its input changed.
        """
        task_orders = cls(fulfilment, orders)
        begun: dict[str, list[DeferredOrder]] = {}
        for one in state.begun:
            begun.setdefault(one.receipt.fingerprint, []).append(one)
        failed = {one.subject: one for one in state.failed}
        changed = []
        for order in orders:
            if begun.get(order.fingerprint):
                one = begun[order.fingerprint].pop(0)
                task_orders.begun.append(fulfilment.resume(order, one.receipt, one.credits))
            elif order.subject not in failed:
                changed.append(order.subject)
        unmatched = [one.receipt.subject for several in begun.values() for one in several]
        if changed or unmatched:
            names = ", ".join(shortened(name) for name in changed or unmatched)
            raise PartialFailureError(
                f"{names} changed while the task waited, so its job is of another picture. A retry requests, "
                "and pays for, what is there now",
                retryable=True,
            )
        for subject, failure in failed.items():
            task_orders.failed[subject] = PartialFailureError(failure.message, retryable=failure.retryable)
        return task_orders
