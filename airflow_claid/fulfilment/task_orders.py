"""The orders of one task: all are asked for first and then waited for; one that fails stops no other."""

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
    is_retryable,
)
from airflow_claid.fulfilment.deferred import DeferredFailure, DeferredOrder, DeferredState
from airflow_claid.fulfilment.fulfilment import Begun, Fulfilled, Fulfilment
from airflow_claid.orders.order import Order

_OF_ONE_ORDER = (ClaidRequestError, JobFailedError, JobTimeoutError, PictureError)
"""What concerns one order; any other error concerns them all and ends the task."""


class _StoppedError(AirflowClaidError):
    """The task ends, so nothing more is sent."""


@dataclass
class TaskOrders:
    """The orders of one task.

    :param fulfilment: fulfils each of them.
    :param orders: what is asked.
    :param threads: how many are begun at once.
    :param begun: what is paid, and not complete yet.
    :param failed: what went wrong with which prompt or input.
    """

    fulfilment: Fulfilment
    orders: Sequence[Order]
    threads: int = 8
    begun: list[Begun] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)

    def begin(self) -> None:
        """Make sure that all orders are paid, several at a time; see :meth:`Fulfilment.begin`."""
        if len(self.orders) == 1:
            self._begin(self.orders[0])
            return
        try:
            self._begin_several()
        finally:
            position_of = {id(order): position for position, order in enumerate(self.orders)}
            self.begun.sort(key=lambda one: position_of[id(one.order)])
            self.failed = {one.subject: self.failed[one.subject] for one in self.orders if one.subject in self.failed}

    def _begin_several(self) -> None:
        """Begin all orders in a few threads; what concerns them all, or ends the task, stops the rest.

        Orders of one fingerprint are one request: they are begun one after the other, so that the second finds the
        receipt of the first.
        """
        budget = self.fulfilment.budget
        by_fingerprint: dict[str, list[Order]] = {}
        for order in self.orders:
            by_fingerprint.setdefault(order.fingerprint, []).append(order)

        def begin(orders: list[Order]) -> None:
            try:
                for order in orders:
                    budget.check_open()
                    self._begin(order)
            except Exception:
                budget.close(_StoppedError())
                raise

        with ThreadPoolExecutor(self.threads, thread_name_prefix="claid-orders") as pool:
            try:
                futures = [pool.submit(begin, orders) for orders in by_fingerprint.values()]
                errors = [future.exception() for future in futures]
            except BaseException:
                budget.close(_StoppedError())
                raise
        for error in errors:
            if error is not None and not isinstance(error, _StoppedError):
                raise error

    def _begin(self, order: Order) -> None:
        try:
            self.begun.append(self.fulfilment.begin(order))
        except _OF_ONE_ORDER as error:
            self.failed[order.subject] = error

    def complete(self, deadline: datetime) -> list[Fulfilled]:
        """Wait for the jobs, bring all pictures to their place; see :meth:`Fulfilment.complete`.

        :param deadline: until when to wait for all of them together.
        """
        return self._complete(list(self.begun), deadline)

    def complete_without_waiting(self, deadline: datetime) -> list[Fulfilled]:
        """Bring the pictures to their place that are made; the jobs that have not ended stay begun."""
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
    def waiting(self) -> list[int]:
        """The ids of the jobs that are not known to have ended."""
        return [one.receipt.job_id for one in self.begun if one.waiting and one.receipt.job_id is not None]

    @property
    def job_ids(self) -> list[int]:
        """The ids of the jobs of what is not complete yet, of this execution or an earlier one."""
        return [one.receipt.job_id for one in self.begun if one.receipt.job_id is not None]

    @property
    def credits(self) -> float:
        """What the jobs that are waited for cost, as far as is known."""
        return sum(one.order.credits for one in self.begun if one.waiting)

    def raise_failures(self) -> None:
        """Raise what went wrong, if anything did: of one order its own error, of several one that names all.

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

    def deferred(self, deadline: datetime) -> DeferredState:
        """Return what :meth:`resumed` needs in another process."""
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
        """Go on with what :meth:`deferred` returned; nothing is asked for again.

        :raises PartialFailureError: if an order that was paid is no longer among the orders, because its input changed.
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
        left = [one.receipt.subject for several in begun.values() for one in several]
        if changed or left:
            names = ", ".join(shortened(name) for name in changed or left)
            raise PartialFailureError(
                f"{names} changed while the task waited, so its job is of another picture. A retry asks, and pays, for "
                "what is there now",
                retryable=True,
            )
        for subject, failure in failed.items():
            task_orders.failed[subject] = PartialFailureError(failure.message, retryable=failure.retryable)
        return task_orders
