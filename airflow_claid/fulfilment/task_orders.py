"""The orders of one task: all are sent before the first is waited for; one that fails does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from airflow_claid.client.text import counted, listed, shortened
from airflow_claid.errors import AirflowClaidError, JobGoneError, PartialFailureError
from airflow_claid.fulfilment.deferred import DeferredFailure, DeferredOrder, DeferredState
from airflow_claid.fulfilment.failures import OF_ONE_ORDER, Failure, error_of, may_be_passed_over
from airflow_claid.fulfilment.fulfilment import Begun, Fulfilled, Fulfilment
from airflow_claid.fulfilment.progress import Progress
from airflow_claid.fulfilment.receipt import Charge
from airflow_claid.orders.order import Order

log: logging.Logger = logging.getLogger(__name__)

_TICK = 1.0
"""Seconds between two looks, while threads send, at whether it is time for a line on the progress."""


class _StoppedError(AirflowClaidError):
    """The task is ending, so nothing more is sent."""


@dataclass
class TaskOrders:
    """The orders of one task.

    :param fulfilment: fulfils each of them.
    :param asked: what to fulfil, in the order of the task's inputs; a failure in place of an input of which no order
        could be made.
    :param threads: how many orders to begin at once.
    :param progress: says now and then how far the task has come.
    """

    fulfilment: Fulfilment
    asked: Sequence[Order | Failure]
    threads: int = 8
    progress: Progress = field(default_factory=Progress)
    orders: Sequence[Order] = field(init=False)
    begun: list[Begun] = field(default_factory=list, init=False)
    """Orders that are paid for but not complete yet."""
    failed: dict[str, Failure] = field(default_factory=dict, init=False)
    """By prompt or input."""
    started: datetime = field(init=False)
    _deadlines: dict[str, datetime] = field(default_factory=dict, init=False)
    """By fingerprint, of orders that were begun in another process of the same try."""
    _done: int = field(default=0, init=False)
    _jobs_known: bool = field(default=False, init=False)
    """Whether Claid knew any job that it was asked for."""

    def __post_init__(self) -> None:
        self.orders = [one for one in self.asked if isinstance(one, Order)]
        self.failed = {one.subject: one for one in self.asked if isinstance(one, Failure)}
        self.started = self.fulfilment.now()
        self.fulfilment = replace(self.fulfilment, sleep=partial(self._sleep, self.fulfilment.sleep))

    def begin(self, *, wait: bool = False) -> None:
        """Make sure that all orders are paid for, several at a time; see :meth:`Fulfilment.begin`.

        While no answer of the operation has been proven readable, they are sent one at a time.

        :param wait: whether the job of one that goes alone is waited for.
        """
        for failure in self.failed.values():
            self._warn_of(failure)
        if len(self.orders) == 1:
            self._begin(self.orders[0])
            return
        try:
            self._begin_several(self._begin_alone(wait=wait))
        finally:
            position_of = {id(order): position for position, order in enumerate(self.orders)}
            self.begun.sort(key=lambda one: position_of[id(one.order)])
            self.failed = {one.subject: self.failed[one.subject] for one in self.asked if one.subject in self.failed}

    def _begin_alone(self, *, wait: bool) -> Sequence[Order]:
        """Begin one order after the other until an answer has been proven readable; return the orders that are left."""
        for number, order in enumerate(self.orders):
            if self.fulfilment.proof.is_proven(order):
                return self.orders[number:]
            one = self._begin(order)
            if one is not None and one.turn is not None:
                if wait:
                    self._prove(one)
                one.turn.end()
            self._say_progress()
        return ()

    def _prove(self, one: Begun) -> None:
        """Complete an order at once, so that its answer is proven readable."""
        self.begun.remove(one)
        try:
            self.begun.append(self.fulfilment.completed(one, self.deadline_of(one)))
        except OF_ONE_ORDER as error:
            self._fail_after_waiting(one, error)
        else:
            self._jobs_known |= one.waiting

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
                self._wait_for(futures)
            except BaseException:
                budget.close(_StoppedError)
                raise
        for future in futures:
            error = future.exception()
            if error is not None and not isinstance(error, _StoppedError):
                raise error

    def _wait_for(self, futures: Sequence[Future[None]]) -> None:
        pending = set(futures)
        while pending:
            _, pending = wait(pending, timeout=_TICK)
            self._say_progress()

    def _begin(self, order: Order) -> Begun | None:
        """Begin an order; ``None`` if it failed."""
        try:
            one = self.fulfilment.begin(order)
        except OF_ONE_ORDER as error:
            self._fail(order, error, self.fulfilment.budget.spent_on(order))
            return None
        self.begun.append(one)
        return one

    def complete(self, until: datetime | None = None) -> list[Fulfilled]:
        """Wait for the jobs, each until its own deadline, and deliver all pictures; see :meth:`Fulfilment.complete`.

        :param until: when to stop waiting for any job.
        """
        return self._complete(list(self.begun), until)

    def complete_without_waiting(self) -> list[Fulfilled]:
        """Deliver the pictures that are made; jobs that have not ended stay begun."""
        return self._complete([one for one in self.begun if not one.waiting], None)

    def _complete(self, begun: Sequence[Begun], until: datetime | None) -> list[Fulfilled]:
        results = []
        for one in begun:
            deadline = self.deadline_of(one)
            try:
                results.append(self.fulfilment.complete(one, min(deadline, until) if until else deadline))
            except OF_ONE_ORDER as error:
                self._fail_after_waiting(one, error)
            else:
                self._done += 1
                self._jobs_known |= one.waiting
            self.begun.remove(one)
            self._say_progress()
        self._tell_progress()
        return results

    def deadline_of(self, one: Begun) -> datetime:
        """Return when to stop waiting for a job: its time counts from its submission, or from the start of this try."""
        known = self._deadlines.get(one.receipt.fingerprint)
        if known is not None:
            return known
        submitted = datetime.fromisoformat(one.receipt.paid_at) if one.receipt.paid_at else self.started
        since = max(self.started, min(submitted, self.fulfilment.now()))
        return since + timedelta(seconds=self.fulfilment.terms.timeout)

    @property
    def spent(self) -> float:
        """Credits that this execution has spent, as far as is known."""
        return self.fulfilment.budget.spent

    @property
    def waiting(self) -> list[int | str]:
        """Ids of the jobs that may still be running."""
        return [one.receipt.job_id for one in self.begun if one.waiting and one.receipt.job_id is not None]

    @property
    def deadlines(self) -> dict[int | str, datetime]:
        """When to stop waiting for each of these jobs."""
        deadlines: dict[int | str, datetime] = {}
        for one in self.begun:
            if one.waiting and one.receipt.job_id is not None:
                deadline = self.deadline_of(one)
                deadlines[one.receipt.job_id] = max(deadline, deadlines.get(one.receipt.job_id, deadline))
        return deadlines

    @property
    def job_ids(self) -> list[int | str]:
        """Ids of the jobs of all orders that are not complete yet, from this execution or an earlier one."""
        return [one.receipt.job_id for one in self.begun if one.receipt.job_id is not None]

    @property
    def credits(self) -> float:
        """Price of the jobs that may still be running, as far as is known."""
        return sum(one.order.credits for one in self.begun if one.waiting)

    @property
    def number(self) -> int:
        """Number of all orders, and of inputs of which none could be made."""
        return len(self.asked)

    @property
    def plural(self) -> str:
        """What the orders are called in messages."""
        return "prompts" if any(order.input is None for order in self.orders) else "pictures"

    def outcomes(self, results: Sequence[Fulfilled]) -> Iterator[Fulfilled | Failure]:
        """Return what became of each order that has ended, in the order of the task's inputs."""
        result_of = {id(result.order): result for result in results}
        for one in self.asked:
            outcome = result_of.get(id(one)) or self.failed.get(one.subject)
            if outcome is not None:
                yield outcome

    def may_pass_over_failures(self, *, succeeded: bool, last_try: bool) -> bool:
        """Return whether the task may go on without what failed; see :func:`may_be_passed_over`."""
        failures = [self.failed.get(one.subject) for one in self.asked]
        return may_be_passed_over(failures, succeeded=succeeded, jobs_known=self._jobs_known, last_try=last_try)

    def raise_failures(self) -> None:
        """Raise if an order failed: the error of a single order, or one error that names failures of several.

        :raises PartialFailureError: if some of several orders failed; retryable if one of them may succeed on a retry.
        """
        if self.failed:
            raise error_of(self.failed.values(), self.number, self.plural)

    def _fail(self, order: Order, error: Exception, credits: float) -> None:  # noqa: A002 - Claid's own word
        failure = self.failed[order.subject] = Failure.of(order, error, credits)
        self._warn_of(failure)

    def _fail_after_waiting(self, one: Begun, error: Exception) -> None:
        self._jobs_known |= one.waiting and not isinstance(error, JobGoneError)
        self._fail(one.order, error, one.credits)

    def _warn_of(self, failure: Failure) -> None:
        """Name a failure, unless it is the only order's, which is raised."""
        if self.number > 1:
            log.warning("%s", failure.shown)

    def _sleep(self, sleep: Callable[[float], None], seconds: float) -> None:
        self._say_progress()
        sleep(seconds)

    def _say_progress(self) -> None:
        if self.progress.is_due():
            log.info("%s", self._how_far())
            self._tell_progress()

    def _tell_progress(self) -> None:
        """Tell how many jobs are waited for, and how much of the quota that submits them is used."""
        kind = self.orders[0].job_kind if self.orders else None
        quota_used = self.fulfilment.client.pace(kind).quota_used
        self.fulfilment.events.progress(jobs=len(self.waiting), quota_used=quota_used)

    def _how_far(self) -> str:
        begun = list(self.begun)
        running = sum(one.waiting for one in begun)
        done = self._done + sum(one.receipt.state.is_final for one in begun)
        return (
            f"{done:,} of {self.number:,} {self.plural} done, {counted(running, 'job')} running, {len(self.failed):,} "
            f"failed; {counted(self.spent, 'credit')}"
        )

    def deferred(self) -> DeferredState:
        """Return the state that :meth:`resumed` needs in another process."""
        begun = tuple(DeferredOrder(one.receipt, one.credits, self.deadline_of(one)) for one in self.begun)
        return DeferredState(
            deadline=max((one.deadline for one in begun), default=self.started),
            begun=begun,
            failed=tuple(
                DeferredFailure(
                    failure.subject,
                    str(failure.error),
                    failure.retryable,
                    failure.credits,
                    of_all=failure.of_all or failure.gone,
                )
                for failure in self.failed.values()
            ),
            spent=self.spent,
        )

    @classmethod
    def resumed(cls, fulfilment: Fulfilment, asked: Sequence[Order | Failure], state: DeferredState) -> TaskOrders:
        """Resume from the state that :meth:`deferred` returned; nothing is requested again.

        :raises PartialFailureError: if a paid order is no longer among the orders because its input changed.
        """
        task_orders = cls(fulfilment, asked)
        begun: dict[str, list[DeferredOrder]] = {}
        for one in state.begun:
            begun.setdefault(one.receipt.fingerprint, []).append(one)
        failed = {one.subject: one for one in state.failed}
        changed = []
        for order in task_orders.orders:
            if begun.get(order.fingerprint):
                one = begun[order.fingerprint].pop(0)
                task_orders.begun.append(fulfilment.resume(order, one.receipt, one.credits))
                task_orders._deadlines[order.fingerprint] = one.deadline
            elif order.subject not in failed:
                changed.append(order.subject)
        unmatched = [one.receipt.subject for several in begun.values() for one in several]
        if changed or unmatched:
            names = listed([shortened(name) for name in changed or unmatched])
            raise PartialFailureError(
                f"{names} changed while the task waited, so its job is of another picture. A retry requests, "
                "and pays for, what is there now",
                retryable=True,
            )
        task_orders._restore(state.failed)
        return task_orders

    def _restore(self, failed: Sequence[DeferredFailure]) -> None:
        """Take over what failed before the wait."""
        order_of = {order.subject: order for order in self.orders}
        for one in failed:
            error = PartialFailureError(one.message, retryable=one.retryable)
            order, former = order_of.get(one.subject), self.failed.get(one.subject)
            if order is not None and one.credits:
                charge = Charge(self.started.isoformat(), self.fulfilment.author, one.credits)
                self.fulfilment.events.paid_before(order, [charge], pictures=0, blocked=0)
            if order is not None:
                failure = Failure.of(order, error, one.credits, of_all=one.of_all)
            elif former is not None:
                failure = replace(former, error=error)
            else:
                failure = Failure(one.subject, error, one.credits, one.of_all, input=one.subject)
            self.failed[one.subject] = failure
