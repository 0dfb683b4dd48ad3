"""A batch: fulfil many orders at once, as fast as the quota allows, and record each result in the manifest.

Threads fulfil the orders as they would single ones (:mod:`airflow_claid.fulfilment`), but none waits for a job: an item
whose job is running is polled when the job has probably ended (:mod:`.waiting_jobs`). An item that has ended before, by
the manifest of an earlier attempt, costs no request. A batch that stops, for any reason, finishes the items that are
running and leaves the rest to the next attempt.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from airflow_claid.batch import charges, outcomes
from airflow_claid.batch.concurrency import ConcurrencyLimit
from airflow_claid.batch.counts import GONE, BatchCounter, BatchCounts
from airflow_claid.batch.failures import Failures, Outage
from airflow_claid.batch.gone import gone_rows
from airflow_claid.batch.intake import Intake, Item, OrderOf
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.retries import Retries
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.batch.threads import Threads
from airflow_claid.batch.verdicts import Verdict
from airflow_claid.batch.waiting_jobs import WaitingJob, WaitingJobs
from airflow_claid.errors import BatchStoppedError, ReceiptUnreadableError, is_retryable
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Begun, Fulfilled, Fulfilment
from airflow_claid.orders.order import Order

log: logging.Logger = logging.getLogger(__name__)

_ATTEMPTS = 4
_REFILL_BELOW = 0.9
"""Refill when fewer than 90 % of the target are running.

So the loop does not wake up for every item that ends, except with a target of ten or fewer.
"""

_PARTS_THAT_MAY_FAIL = 5


class Batch:
    """Fulfils many items.

    :param rows: the items, read as they are needed.
    :param order_of: makes the order of a row; or a list, of which those after the first are its fallbacks: as long as
        all pictures are blocked, the next is fulfilled.
    :param fulfilment: returns the fulfilment for an item, given whether this is its first attempt. Its terms must say
        not to wait for answers.
    :param budget: of that fulfilment.
    :param manifest: keeps the rows, and knows those of earlier attempts.
    :param still_there: returns whether the pictures of an earlier attempt's row are still in place.
    :param overwritten_by: says which picture of another batch an order would overwrite: it is not sent.
    :param listed: returns whether an input is among the rows, ``None`` where nobody knows: those of an earlier batch
        that are not become rows that are gone. ``None`` for a batch that takes only a part of what there is.
    :param quota_rate: returns the requests a second that the quota allows now; ``None`` where there is no limit.
    :param latency: returns the recent seconds from sending a request to its answer; ``None`` before the first answer.
    :param poll_rate: returns the requests a second that the quota of polls allows in the long run; ``None`` where there
        is no limit.
    :param terms: see :class:`BatchTerms`.
    :param report: receives the counts at regular intervals, and at the end.
    :param report_seconds: the interval.
    """

    def __init__(
        self,
        *,
        rows: Iterable[ItemRow],
        order_of: OrderOf,
        fulfilment: Callable[[bool], Fulfilment],
        budget: Budget,
        manifest: Manifest,
        still_there: Callable[[dict[str, Any]], bool],
        poll_rate: Callable[[], float | None] = lambda: None,
        overwritten_by: Callable[[Order], str | None] = lambda _: None,
        listed: Callable[[str], bool | None] | None = None,
        quota_rate: Callable[[], float | None],
        latency: Callable[[], float | None],
        terms: BatchTerms,
        report: Callable[[BatchCounts], None],
        report_seconds: float = 30.0,
    ) -> None:
        self._rows = rows
        self._intake = Intake(order_of, manifest.index, still_there, overwritten_by)
        self._fulfilment = fulfilment
        self._budget = budget
        self._manifest = manifest
        self._listed = listed
        self._quota_rate = quota_rate
        self._latency = latency
        self._terms = terms
        self._report = report
        self._report_seconds = report_seconds
        self._reported_at = time.monotonic()
        self._lock = threading.RLock()
        self._threads = Threads()
        self._concurrency_limit = ConcurrencyLimit()
        self._retries: Retries[Item] = Retries(terms.pause)
        self._jobs = WaitingJobs(poll_rate)
        self._counter = BatchCounter()
        self._failures = Failures(terms)
        self._under_way: set[str] = set()
        """Fingerprints: the fallback of one item may be the request of another, which two threads must not send."""
        self._last_number = 0
        self._begun = 0
        self._outage = Outage()
        self._parts_failed = 0
        self._stopped_by: Exception | None = None

    @property
    def counts(self) -> BatchCounts:
        """The counts of the batch at this moment."""
        return self._counter.counts(
            credits=self._budget.spent,
            credits_in_doubt=self._budget.in_doubt,
            waiting=len(self._retries),
            jobs=len(self._jobs),
        )

    def run(self) -> BatchCounts:
        """Fulfil all items; the manifest then has a row for each.

        :raises ClaidError: if the account does not allow more (key, scope, credits); running items are finished.
        :raises CreditCeilingError: if the next item would exceed ``max_credits``.
        :raises SpendLimitError: if the next item would exceed a spend limit.
        :raises BatchStoppedError: if the batch was stopped, or too many items failed.
        """
        try:
            with self._threads:
                try:
                    self._submit_all()
                except BaseException:
                    self.stop("the task ended early")
                    self._manifest.flush()
                    raise
        finally:
            self._manifest.flush()
            self._report(self.counts)
        if self._stopped_by is not None:
            raise self._stopped_by
        return self.counts

    def stop(self, reason: str, *, retryable: bool = True) -> None:
        """Send nothing more, and finish the running items; jobs are left to the next attempt.

        May be called from a signal handler.
        """
        if self._stopped_by is None:
            self._stopped_by = BatchStoppedError(reason, retryable=retryable)
        self._budget.close(_stopping)

    def _submit_all(self) -> None:
        """Have all items run in threads, and wait until they have ended."""
        for item in self._items():
            self._attend()
            if self._threads.running >= self._target():
                self._wait_for_at_most(lambda: int(self._target() * _REFILL_BELOW))
            while self._stopped_by is None and self._has_enough_jobs():
                self._attend(sparingly=False)
                self._threads.pause(self._jobs.seconds_until_due(sparingly=False))
            if self._stopped_by is not None:
                break
            self._threads.run(partial(self._run, partial(self._fulfil, item)))
        if self._stopped_by is not None:
            self._manifest.flush()
        self._wait_for_at_most(lambda: 0, even_if_stopped=True)
        if self._stopped_by is None:
            self._end_those_beyond()

    def _attend(self, *, sparingly: bool = True) -> None:
        """Have the jobs polled that are due, and report if the interval has passed.

        :param sparingly: whether there are items to be sent, to which polls leave most of the quota.
        """
        while self._stopped_by is None and self._threads.may_poll:
            job = self._jobs.due(sparingly=sparingly)
            if job is None:
                break
            self._threads.poll(partial(self._run, partial(self._poll, job)))
        self._report_if_due()

    def _has_enough_jobs(self) -> bool:
        """Return whether no new item should be sent before a job has ended."""
        jobs = len(self._jobs)
        return jobs > 0 and self._threads.running + jobs >= (
            self._terms.concurrency or self._jobs.limit(self._quota_rate())
        )

    def _items(self) -> Iterator[Item]:
        """Yield the items to run: new ones, and between and after them those that are due for a retry."""
        for row in self._rows:
            self._last_number = row.number
            while (retry := self._retries.due()) is not None:
                yield retry
            if self._stopped_by is not None:
                return
            taken = self._intake.take(row)
            self._begun += 1
            if isinstance(taken, Item):
                yield taken
            else:
                charges.tell_of_reused(self._fulfilment(True), taken.reused, taken.row)
                self._end(row.number, taken.row, known=taken.known, reused=taken.reused is not None)
                self._attend()
        while self._stopped_by is None:
            retry = self._retries.due()
            if retry is not None:
                yield retry
            elif self._threads.idle and not self._retries and not self._jobs:  # a thread adds these before it ends
                return
            else:
                self._attend(sparingly=False)
                due = min(self._jobs.seconds_until_due(sparingly=False), self._retries.seconds_until_due())
                self._threads.pause(due, while_more_than=0 if self._threads.running else None)

    def _end_those_beyond(self) -> None:
        """End what is not among the rows: those of an attempt that had more, and those whose input is gone."""
        self._manifest.index.forget_after(self._last_number)
        if self._listed is not None:
            rows = gone_rows(self._manifest.index, self._listed)
            for number, row in enumerate(rows, start=self._last_number + 1):
                self._end(number, row)

    def _retry_later(self, item: Item) -> None:
        """Keep an item for a retry."""
        self._retries.add(item.tried_again(), times=item.tried)

    def _end(
        self, number: int, row: dict[str, Any], *, known: bool = False, reused: bool = False, retryable: bool = False
    ) -> None:
        """Record and count the result of an item.

        :param known: whether the manifest has this row already.
        :param reused: whether it cost this execution nothing.
        :param retryable: whether an item that failed may succeed later.
        """
        if not known:
            self._add_to_manifest({**row, "row": number})
        images = 0 if row["status"] == GONE else len(row.get("paths", ()))
        self._counter.end(row["status"], images=images, reused=reused)
        if row["status"] in ("failed", "invalid"):
            too_many = self._failures.that_stop(row, self.counts, self._begun, retryable=retryable)
            if too_many is not None:
                self._stop_by(too_many)

    def _add_to_manifest(self, row: dict[str, Any]) -> None:
        """Add a row to the manifest; if a part cannot be written, its rows go into the next one."""
        try:
            self._manifest.add(row)
        except Exception as error:  # noqa: BLE001 - buckets raise errors of their own
            self._parts_failed += 1
            log.warning("A part of the manifest could not be written (%s: %s)", type(error).__name__, error)
            if self._parts_failed >= _PARTS_THAT_MAY_FAIL:
                self._stop_by(error)
        else:
            self._parts_failed = 0

    def _run(self, work: Callable[[], None]) -> None:
        """Do the work on one item, in a thread, unless the batch has stopped."""
        try:
            if self._stopped_by is None:
                work()
        except BaseException as error:  # noqa: BLE001 - a thread's error must stop the batch, not get lost
            self._stop_by(error)

    def _fulfil(self, item: Item) -> None:
        with self._lock:
            is_under_way = item.order.fingerprint in self._under_way
            self._under_way.add(item.order.fingerprint)
        if is_under_way:
            self._retry_later(item)
            return
        fulfilment = self._fulfilment(item.tried == 0)
        try:
            result = (fulfilment.fulfil if item.order.job_kind is None else fulfilment.start)(item.order)
        except Exception as error:  # noqa: BLE001 - an error of one item must not stop the others
            self._handle_error(item, error)
        else:
            self._take(item, result, fulfilment)

    def _poll(self, job: WaitingJob) -> None:
        item, fulfilment = job.item, self._fulfilment(job.item.tried == 0)
        try:
            result = fulfilment.poll_once(job.begun)
        except Exception as error:  # noqa: BLE001 - as in _fulfil
            self._handle_error(item, error)
            self._jobs.given_up(job)
            return
        if isinstance(result, Begun) and result.receipt.job_id == job.begun.receipt.job_id:
            self._outage.refute()
            self._jobs.running(job, result)
        else:
            self._take(item, result, fulfilment)
            self._jobs.ended(job)

    def _take(self, item: Item, result: Begun | Fulfilled, fulfilment: Fulfilment) -> None:
        """Record the result of an item, or keep it until its job has ended."""
        self._outage.refute()
        if isinstance(result, Begun):
            self._jobs.add(item, result, fulfilment)
            self._threads.wake()
            return
        self._under_way.discard(item.order.fingerprint)
        following = item.with_fallback(result)
        if following is not None:
            self._fulfil(following)
            return
        row = outcomes.fulfilled(item.order, result, item.carried, item.blocked)
        spent = sum(one.credits for one in (*item.blocked, result))
        self._end(item.number, row, reused=spent == 0 and not item.failures)

    def _handle_error(self, item: Item, error: Exception) -> None:
        """Stop the batch, record the item as failed, or keep it for a retry, as the error requires."""
        self._under_way.discard(item.order.fingerprint)
        verdict = Verdict.of(error)
        if verdict is Verdict.WAIT:
            self._retry_later(item)
        elif verdict is Verdict.STOP:
            self._stop_by(error)
        elif verdict is Verdict.FAIL:
            self._outage.refute()
            self._failed(item, error, retryable=is_retryable(error))
        else:
            self._retry_or_fail(item if verdict is Verdict.RETRY_UNSENT else item.failed_again(), error)

    def _retry_or_fail(self, item: Item, error: Exception) -> None:
        """Retry an item later, if that may help; stop the batch if there is an outage."""
        retryable = is_retryable(error)
        if self._outage.is_shown_by(error):
            self._stop_by(error)
        elif retryable and item.failures < _ATTEMPTS:
            log.info("Row %d will be retried: %s: %s", item.number, type(error).__name__, error)
            self._retry_later(item)
        else:
            self._failed(item, error, retryable=retryable)

    def _failed(self, item: Item, error: Exception, *, retryable: bool) -> None:
        row = outcomes.failed(item.order, error, self._cost(item.order), item.carried, item.blocked)
        log.warning("Row %d failed: %s", item.number, row["error"])
        self._end(item.number, row, retryable=retryable)

    def _cost(self, order: Order) -> dict[str, float | None]:
        """Return what a failed item has cost, in this execution and before."""
        try:
            receipt = self._fulfilment(False).receipts(order).read(order.fingerprint)
        except ReceiptUnreadableError:
            return outcomes.UNKNOWN_COST
        return outcomes.cost_of(order, receipt)

    def _stop_by(self, error: BaseException) -> None:
        with self._lock:
            if self._stopped_by is None:
                self._stopped_by = error if isinstance(error, Exception) else BatchStoppedError(repr(error))
                self._threads.wake()
        self._budget.close(_stopping)

    def _wait_for_at_most(self, most: Callable[[], int], *, even_if_stopped: bool = False) -> None:
        """Wait until no more than this number of items are running; meanwhile poll and report."""
        while True:
            self._attend()
            few = most()
            if self._threads.running <= few or (self._stopped_by is not None and not even_if_stopped):
                return
            self._threads.pause(self._jobs.seconds_until_due(sparingly=True), while_more_than=few)

    def _target(self) -> int:
        """Return how many items should be running."""
        if self._terms.concurrency is not None:
            return self._terms.concurrency
        return self._concurrency_limit.size(
            self._quota_rate(), self._latency(), running=self._threads.running, ended=self._threads.ended
        )

    def _report_if_due(self) -> None:
        """Report if the interval has passed."""
        now = time.monotonic()
        if now - self._reported_at >= self._report_seconds:
            self._reported_at = now
            self._report(self.counts)


def _stopping() -> BatchStoppedError:
    return BatchStoppedError("the batch is stopping")
