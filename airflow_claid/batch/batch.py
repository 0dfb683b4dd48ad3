"""A batch: many orders fulfilled at once, as many as the quota takes; what becomes of each is a row of the manifest.

The orders go the same way as a single one (:mod:`airflow_claid.fulfilment`), in threads. What has ended before, by
the manifest of an earlier attempt, costs no request. A batch that stops, for whatever reason, finishes what is paid and
leaves the rest to the next attempt.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from airflow_claid.batch import outcomes
from airflow_claid.batch.concurrency import MOST_THREADS, ConcurrencyLimit
from airflow_claid.batch.counts import BatchCounter, BatchCounts
from airflow_claid.batch.intake import Intake, Item
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.prompts import PromptRow
from airflow_claid.batch.retries import Retries
from airflow_claid.client import ClaidAuthenticationError, ClaidCreditsError, ClaidRequestError, ClaidScopeError
from airflow_claid.errors import (
    AnswerPendingError,
    BatchStoppedError,
    CreditCeilingError,
    JobFailedError,
    LostAnswerError,
    ReceiptUnreadableError,
    is_retryable,
)
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.orders.order import Order

log = logging.getLogger(__name__)

_ATTEMPTS = 4
_TICK = 0.5
_REFILL_BELOW = 0.9
"""Refill when fewer than 90 % of the target are running.

For each single item that ends nobody is woken; with a target of ten or fewer, somebody is for each one all the same.
"""

_PATIENCE_WITH_OUTAGES = 40
"""So many items in a row that fail for one passing reason or another mean an outage, not bad luck."""

_ENOUGH_FOR_A_SHARE = 100
_PARTS_THAT_MAY_FAIL = 5
_OF_THE_ACCOUNT = (ClaidAuthenticationError, ClaidScopeError, ClaidCreditsError)
_OF_ONE_ITEM = (ClaidRequestError, JobFailedError, LostAnswerError)


@dataclass(frozen=True)
class BatchTerms:
    """On what terms a batch is worked through.

    :param concurrency: items under way at once; ``None``: as many as the quota and the time that one takes ask for.
    :param on_error: ``"continue"``, or ``"fail"`` to stop at the first item that fails.
    :param error_threshold: the share of items, 0 to 1, that may fail.
    :param pause: seconds until an item is tried again for the first time; each time twice as long, up to a minute.
    """

    concurrency: int | None = None
    on_error: str = "continue"
    error_threshold: float = 0.1
    pause: float = 5.0


class Batch:
    """Works through many items.

    :param rows: the items, read as they are needed.
    :param order_of: makes an item's order.
    :param fulfilment: returns the fulfilment for an item; is told whether it is the first attempt at it. Its terms must
        say not to wait for answers.
    :param budget: of that fulfilment.
    :param manifest: keeps the rows, and knows those of earlier attempts.
    :param still_there: whether the pictures of an earlier attempt's row are where they were.
    :param quota_rate: requests a second that the quota allows now; ``None`` where there is no limit.
    :param latency: seconds that a request takes from sending to answer, as seen lately; ``None`` before the first.
    :param terms: see :class:`BatchTerms`.
    :param report: is told the counts at a steady pace, and at the end.
    :param report_seconds: that pace.
    """

    def __init__(
        self,
        *,
        rows: Iterable[PromptRow],
        order_of: Callable[[PromptRow], Order],
        fulfilment: Callable[[bool], Fulfilment],
        budget: Budget,
        manifest: Manifest,
        still_there: Callable[[dict[str, Any]], bool],
        quota_rate: Callable[[], float | None],
        latency: Callable[[], float | None],
        terms: BatchTerms,
        report: Callable[[BatchCounts], None],
        report_seconds: float = 30.0,
    ) -> None:
        self._rows = rows
        self._intake = Intake(order_of, manifest.index, still_there)
        self._fulfilment = fulfilment
        self._budget = budget
        self._manifest = manifest
        self._quota_rate = quota_rate
        self._latency = latency
        self._terms = terms
        self._report = report
        self._report_seconds = report_seconds
        self._reported_at = time.monotonic()
        self._changed = threading.Condition()
        self._under_way = 0
        self._wake_at = 0
        """Who hands out is woken when no more items than these are under way."""
        self._concurrency_limit = ConcurrencyLimit()
        self._retries: Retries[Item] = Retries(terms.pause)
        self._counter = BatchCounter()
        self._failed_in_a_row = 0
        self._parts_failed = 0
        self._stopped_by: Exception | None = None

    @property
    def counts(self) -> BatchCounts:
        """How far the batch has come."""
        return self._counter.counts(
            credits=self._budget.spent, credits_in_doubt=self._budget.in_doubt, waiting=len(self._retries)
        )

    def run(self) -> BatchCounts:
        """Work through all items; the manifest then has a row for each.

        :raises ClaidError: if the account cannot go on (key, scope, credits); what is paid is finished and kept.
        :raises CreditCeilingError: if the next item would spend more than ``max_credits``.
        :raises BatchStoppedError: if the batch was stopped, or too many items failed.
        """
        try:
            with ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="claid-batch") as pool:
                try:
                    self._hand_out(pool)
                except BaseException:
                    self.stop("the task ended early")
                    self._manifest.flush()
                    raise
        finally:
            self._manifest.flush()
            self._tell()
        if self._stopped_by is not None:
            raise self._stopped_by
        return self.counts

    def stop(self, reason: str, *, retryable: bool = True) -> None:
        """Send nothing more; what is under way is finished. May be called from a signal handler."""
        if self._stopped_by is None:
            self._stopped_by = BatchStoppedError(reason, retryable=retryable)
        self._budget.close(BatchStoppedError("the batch is stopping"))

    def _hand_out(self, pool: Executor) -> None:
        """Hand all items to threads, and wait until these have done with them."""
        for item in self._items():
            self._tick()
            if self._under_way >= self._target():
                self._wait_for_at_most(lambda: int(self._target() * _REFILL_BELOW))
            if self._stopped_by is not None:
                break
            with self._changed:
                self._under_way += 1
            pool.submit(self._work, item)
        if self._stopped_by is not None:
            self._manifest.flush()
        self._wait_for_at_most(lambda: 0, even_if_stopped=True)

    def _items(self) -> Iterator[Item]:
        """Yield what is to be asked: the rows, and between them, and after them, what is to be tried again."""
        for row in self._rows:
            while (again := self._retries.due()) is not None:
                yield again
            if self._stopped_by is not None:
                return
            taken = self._intake.take(row)
            if isinstance(taken, Item):
                yield taken
            else:
                self._end(row.number, taken.row, known=taken.known, reused=taken.reused)
                self._tick()
        while self._stopped_by is None:
            again = self._retries.due()
            if again is not None:
                yield again
            elif not self._under_way and not self._retries:  # in this order: who ends an item adds it first
                return
            else:
                with self._changed:
                    self._wake_at = 0
                    if self._under_way or self._retries:
                        self._changed.wait(min(_TICK, self._retries.seconds_until_due()))
                self._tick()

    def _try_again(self, item: Item) -> None:
        """Keep an item for later."""
        self._retries.add(item.tried_again(), times=item.tried)

    def _end(
        self, number: int, row: dict[str, Any], *, known: bool = False, reused: bool = False, retryable: bool = False
    ) -> None:
        """Write down what became of an item.

        :param known: whether the manifest has this row already.
        :param reused: whether it cost this execution nothing.
        :param retryable: of one that failed, whether it may succeed later.
        """
        if not known:
            self._write_down({**row, "row": number})
        self._counter.end(row["status"], images=len(row.get("paths", ())), reused=reused)
        self._stop_if_too_many_failed(row, retryable=retryable)

    def _write_down(self, row: dict[str, Any]) -> None:
        """Add a row to the manifest; where a part cannot be written, its rows go with the next one."""
        try:
            self._manifest.add(row)
        except Exception as error:  # noqa: BLE001 - whatever a bucket's library raises
            self._parts_failed += 1
            log.warning("A part of the manifest could not be written (%s: %s)", type(error).__name__, error)
            if self._parts_failed >= _PARTS_THAT_MAY_FAIL:
                self._stop_by(error)
        else:
            self._parts_failed = 0

    def _stop_if_too_many_failed(self, row: dict[str, Any], *, retryable: bool) -> None:
        if row["status"] not in ("failed", "invalid"):
            return
        counts = self.counts
        if self._terms.on_error == "fail":
            self.stop(f"{row['error']} (on_error='fail')", retryable=retryable)
        elif counts.items >= _ENOUGH_FOR_A_SHARE and counts.share_failed > self._terms.error_threshold:
            self.stop(
                f"{counts.failed} of {counts.items} prompts failed or were invalid: more than "
                f"error_threshold={self._terms.error_threshold:g} allows. The last one: {row['error']}",
                retryable=counts.by_status["failed"] > 0,
            )

    def _work(self, item: Item) -> None:
        """Fulfil one item, in a thread."""
        try:
            if self._stopped_by is None:
                self._fulfil(item)
        except BaseException as error:  # noqa: BLE001 - a thread's error must stop the batch, not get lost
            self._stop_by(error)
        finally:
            with self._changed:
                self._under_way -= 1
                if self._under_way <= self._wake_at:
                    self._changed.notify_all()

    def _fulfil(self, item: Item) -> None:
        try:
            result = self._fulfilment(item.tried == 0).fulfil(item.order)
        except Exception as error:  # noqa: BLE001 - what is wrong with one item must not stop the others
            self._judge(item, error)
        else:
            self._failed_in_a_row = 0
            self._end(item.number, outcomes.fulfilled(item.order, result), reused=result.credits == 0)

    def _judge(self, item: Item, error: Exception) -> None:
        """Distinguish what stops the batch from what is one item's, and what passes from what stays."""
        if isinstance(error, AnswerPendingError):
            self._try_again(item)
        elif isinstance(error, (*_OF_THE_ACCOUNT, CreditCeilingError, BatchStoppedError)):
            self._stop_by(error)
        elif isinstance(error, _OF_ONE_ITEM):
            self._failed_in_a_row = 0
            self._failed(item, error, retryable=False)
        else:
            self._failed_for_now(item.failed_again(), error)

    def _failed_for_now(self, item: Item, error: Exception) -> None:
        """Try an item again after the others; an outage stops the batch."""
        with self._changed:
            self._failed_in_a_row += 1
            outage = self._failed_in_a_row >= _PATIENCE_WITH_OUTAGES
        retryable = is_retryable(error)
        if outage:
            self._stop_by(error)
        elif retryable and item.failures < _ATTEMPTS:
            log.info("Row %d will be tried again: %s: %s", item.number, type(error).__name__, error)
            self._try_again(item)
        else:
            self._failed(item, error, retryable=retryable)

    def _failed(self, item: Item, error: Exception, *, retryable: bool) -> None:
        row = outcomes.failed(item.order, error, self._cost(item.order))
        log.warning("Row %d failed: %s", item.number, row["error"])
        self._end(item.number, row, retryable=retryable)

    def _cost(self, order: Order) -> dict[str, float | None]:
        """Return what an item that failed has cost, in this execution and before."""
        try:
            receipt = self._fulfilment(False).receipts(order).read(order.fingerprint)
        except ReceiptUnreadableError:
            return outcomes.UNKNOWN_COST
        return outcomes.cost_of(order, receipt)

    def _stop_by(self, error: BaseException) -> None:
        with self._changed:
            if self._stopped_by is None:
                self._stopped_by = error if isinstance(error, Exception) else BatchStoppedError(repr(error))
                self._changed.notify_all()
        self._budget.close(BatchStoppedError("the batch is stopping"))

    def _wait_for_at_most(self, most: Callable[[], int], *, even_if_stopped: bool = False) -> None:
        """Wait until no more than so many items are under way; report meanwhile."""
        while True:
            with self._changed:
                self._wake_at = most()
                if self._under_way <= self._wake_at or (self._stopped_by is not None and not even_if_stopped):
                    break
                self._changed.wait(_TICK)
            self._tick()
        self._tick()

    def _target(self) -> int:
        """Return how many items should be under way."""
        if self._terms.concurrency is not None:
            return self._terms.concurrency
        return self._concurrency_limit.size(self._quota_rate(), self._latency())

    def _tick(self) -> None:
        """Report, if it is time to."""
        now = time.monotonic()
        if now - self._reported_at >= self._report_seconds:
            self._reported_at = now
            self._tell()

    def _tell(self) -> None:
        self._report(self.counts)
