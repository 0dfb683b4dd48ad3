"""A batch: many orders fulfilled at once, as many as the quota takes; what becomes of each is a row of the manifest.

The orders go the same way as a single one (:mod:`airflow_claid.fulfilment`), in threads. What has ended before, by
the manifest of an earlier attempt, is not even looked at again. A batch that stops, for whatever reason, finishes
what is paid and leaves the rest to the next attempt.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from airflow_claid.batch.concurrency import MOST_THREADS, ConcurrencyLimit
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.progress import BatchCounts
from airflow_claid.batch.prompts import PromptRow
from airflow_claid.batch.retries import Retries
from airflow_claid.client import (
    ClaidAuthenticationError,
    ClaidCreditsError,
    ClaidRequestError,
    ClaidScopeError,
    ClaidValidationError,
)
from airflow_claid.errors import (
    BatchStoppedError,
    CreditCeilingError,
    JobFailedError,
    LostAnswerError,
    ReceiptUnreadableError,
    is_retryable,
    may_have_been_charged,
)
from airflow_claid.fulfilment.fulfilment import Fulfilled, Fulfilment
from airflow_claid.fulfilment.receipt import ReceiptState
from airflow_claid.orders.order import Order
from airflow_claid.storage.places import PlaceKind

log = logging.getLogger(__name__)

_ATTEMPTS = 4
_TICK = 0.5
_REFILLED_AT = 0.9
"""Part of the wanted items that are under way when more are handed out, so between that and all of them always are.

For each single item that ends nobody is woken; with ten or fewer, that is for each one all the same.
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
    :param max_credits: no more is spent by one execution; ``None`` for no ceiling.
    :param on_error: ``"continue"``, or ``"fail"`` to stop at the first item that fails.
    :param error_threshold: the share of items, 0 to 1, that may fail.
    :param pause: seconds until an item is tried again for the first time; each time twice as long, up to a minute.
    """

    concurrency: int | None = None
    max_credits: float | None = None
    on_error: str = "continue"
    error_threshold: float = 0.1
    pause: float = 5.0


@dataclass(frozen=True)
class _Item:
    """One order.

    :param number: of its row.
    :param tried: how often it has been tried.
    :param failures: how often it failed for a passing reason.
    :param in_doubt: credits of this execution's requests for it whose answer is lost.
    """

    number: int
    order: Order
    tried: int = 0
    failures: int = 0
    in_doubt: float = 0.0


class _LaterError(Exception):
    """An item can only be waited for; the others need not."""


class Batch:
    """Works through many items.

    :param rows: the items, read as they are needed.
    :param order_of: makes an item's order.
    :param fulfilment: makes a fulfilment for one item; is told whether it is the first attempt at it.
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
        manifest: Manifest,
        still_there: Callable[[dict[str, Any]], bool],
        quota_rate: Callable[[], float | None],
        latency: Callable[[], float | None],
        terms: BatchTerms,
        report: Callable[[BatchCounts], None],
        report_seconds: float = 30.0,
    ) -> None:
        self.counts = BatchCounts()
        self._rows = rows
        self._order_of = order_of
        self._fulfilment = fulfilment
        self._manifest = manifest
        self._still_there = still_there
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
        self._retries: Retries[_Item] = Retries(terms.pause)
        self._reserved = 0.0
        self._failed_in_a_row = 0
        self._parts_failed = 0
        self._stopped_by: Exception | None = None
        self._asked: dict[int, int] = {}
        self._names: dict[int, int] = {}

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

    def _hand_out(self, pool: Executor) -> None:
        """Give all items to threads, and wait until these have done with them."""
        for item in self._items():
            self._tick()
            if self._under_way >= self._wanted():
                self._wait_for_at_most(lambda: int(self._wanted() * _REFILLED_AT))
            if self._stopped_by is not None:
                break
            with self._changed:
                self._under_way += 1
            pool.submit(self._work, item)
        if self._stopped_by is not None:
            self._manifest.flush()
        self._wait_for_at_most(lambda: 0, even_if_stopped=True)

    def _items(self) -> Iterator[_Item]:
        """Give what is to be asked: the rows, and between them, and after them, what is to be tried again."""
        for row in self._rows:
            while (again := self._retries.due()) is not None:
                yield again
            if self._stopped_by is not None:
                return
            item = self._item_of(row)
            if item is not None:
                yield item
            else:
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

    def _try_again(self, item: _Item) -> None:
        """Keep an item for later."""
        self._retries.add(replace(item, tried=item.tried + 1), times=item.tried)

    def _item_of(self, row: PromptRow) -> _Item | None:
        """Make a row's order; ``None`` where there is nothing to be asked for it."""
        try:
            order = self._checked_order(row)
        except ClaidValidationError as error:
            self._end(row.number, {**_seen(row), "fingerprint": None, "status": "invalid", "error": str(error)})
            return None
        first = self._asked.setdefault(int(order.fingerprint[:24], 16), row.number)
        if first != row.number:
            self._end(row.number, {**_facts(order), "status": "duplicate", "of": first})
            return None
        namesake = self._namesake(row.number, order)
        if namesake is not None:
            overwritten = ClaidValidationError(
                f"row {row.number} has the name {order.name!r} of row {namesake}, but asks for something else: one's "
                "pictures would overwrite the other's. Give each a name of its own"
            )
            self._end(row.number, {**_facts(order), "status": "invalid", "error": str(overwritten)})
            return None
        before = self._manifest.index.get(order.fingerprint)
        if before is None or before["status"] not in ("done", "blocked") or not self._still_there(before):
            return _Item(row.number, order)
        with self._changed:
            self.counts.reused += 1
            self.counts.images += len(before.get("paths", ()))
        self._end(row.number, before, known=self._manifest.index.has(row.number, order.fingerprint))
        return None

    def _checked_order(self, row: PromptRow) -> Order:
        if row.problem:
            raise ClaidValidationError(f"row {row.number} {row.problem}")
        return self._order_of(row)

    def _namesake(self, number: int, order: Order) -> int | None:
        """Give the row that has written, or will write, files of the same names."""
        if order.name is None or order.place.kind is not PlaceKind.OBJECT_STORAGE:
            return None
        first = self._names.setdefault(hash(order.name), number)
        return first if first != number else None

    def _end(self, number: int, row: dict[str, Any], *, known: bool = False, retryable: bool = False) -> None:
        """Write down what became of an item.

        :param known: whether the manifest has this row already.
        :param retryable: of one that failed, whether it may succeed later.
        """
        if not known:
            self._write_down({**row, "row": number})
        with self._changed:
            self.counts.by_status[row["status"]] += 1
            if row["status"] in ("failed", "invalid"):
                self._stop_if_too_many_failed(row["error"], retryable)

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

    def _stop_if_too_many_failed(self, said: str, retryable: bool) -> None:
        failed = self.counts.by_status["failed"] + self.counts.by_status["invalid"]
        if self._terms.on_error == "fail":
            self.stop(f"{said} (on_error='fail')", retryable=retryable)
        elif self.counts.items >= _ENOUGH_FOR_A_SHARE and self.counts.share_failed > self._terms.error_threshold:
            self.stop(
                f"{failed} of {self.counts.items} prompts failed or were no good: more than "
                f"error_threshold={self._terms.error_threshold:g} allows. The last one: {said}",
                retryable=self.counts.by_status["failed"] > 0,
            )

    def _work(self, item: _Item) -> None:
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

    def _fulfil(self, item: _Item) -> None:
        fulfilment = self._fulfilment(item.tried == 0)
        reserved: list[float] = []
        fulfilment.before_paying = lambda order: reserved.append(self._reserve(order))
        fulfilment.before_waiting = self._leave_for_later
        result: Fulfilled | None = None
        failure: Exception | None = None
        try:
            result = fulfilment.fulfil(item.order)
        except Exception as error:  # noqa: BLE001 - what is wrong with one item must not stop the others
            failure = error
        in_doubt = item.order.credits if may_have_been_charged(failure) else 0.0
        with self._changed:
            self._reserved -= sum(reserved)
            self.counts.credits += fulfilment.spent
            self.counts.credits_in_doubt += in_doubt
        if result is not None:
            self._failed_in_a_row = 0
            self._fulfilled(item, result)
        elif failure is not None:
            self._judge(replace(item, in_doubt=item.in_doubt + in_doubt), failure)

    def _judge(self, item: _Item, error: Exception) -> None:
        """Tell what stops the batch from what is one item's, and what passes from what stays."""
        if isinstance(error, _LaterError):
            self._try_again(item)
        elif isinstance(error, (*_OF_THE_ACCOUNT, CreditCeilingError, BatchStoppedError)):
            self._stop_by(error)
        elif isinstance(error, _OF_ONE_ITEM):
            self._failed_in_a_row = 0
            self._failed(item, error, retryable=False)
        else:
            self._failed_for_now(replace(item, failures=item.failures + 1), error)

    def _reserve(self, order: Order) -> float:
        """Make sure, at the last moment, that an order may be paid."""
        with self._changed:
            if self._stopped_by is not None:
                raise BatchStoppedError("the batch is stopping")
            ceiling = self._terms.max_credits
            spent, in_doubt = self.counts.credits + self._reserved, self.counts.credits_in_doubt
            if ceiling is not None and spent + in_doubt + order.credits > ceiling:
                doubtful = f" (and {in_doubt:g} perhaps, for lost answers)" if in_doubt else ""
                raise CreditCeilingError(
                    f"{spent:g} credits are spent by this execution{doubtful}, the next item costs "
                    f"{order.credits:g}, and max_credits={ceiling:g}"
                )
            self._reserved += order.credits
        return order.credits

    def _leave_for_later(self) -> None:
        """Keep no thread waiting for an answer that may still come."""
        if self._stopped_by is not None:
            raise BatchStoppedError("the batch is stopping")
        raise _LaterError

    def _fulfilled(self, item: _Item, result: Fulfilled) -> None:
        good = [image for image in result.images if image.good]
        with self._changed:
            self.counts.images += len(good)
            if result.credits == 0 and item.in_doubt:
                self.counts.credits_in_doubt -= item.order.credits
                self.counts.credits += item.order.credits
            elif result.credits == 0:
                self.counts.reused += 1
        self._end(
            item.number,
            {
                **_facts(item.order),
                "status": "done" if good else "blocked",
                "paths": [image.path for image in good],
                "checksums": [image.checksum for image in good],
                "bytes": [image.bytes for image in good],
                "blocked": sum(image.blocked is True for image in result.images),
                "credits": result.charged - result.in_doubt,
                "credits_in_doubt": result.in_doubt,
                "request_id": result.request_id,
            },
        )

    def _failed_for_now(self, item: _Item, error: Exception) -> None:
        """Try an item again after the others; an outage stops the batch."""
        with self._changed:
            self._failed_in_a_row += 1
            outage = self._failed_in_a_row >= _PATIENCE_WITH_OUTAGES
        retryable = is_retryable(error)
        if outage:
            self._stop_by(error)
        elif retryable and item.failures < _ATTEMPTS:
            log.info("Row %d is tried again later: %s: %s", item.number, type(error).__name__, error)
            self._try_again(item)
        else:
            self._failed(item, error, retryable=retryable)

    def _failed(self, item: _Item, error: Exception, *, retryable: bool) -> None:
        said = f"{type(error).__name__}: {error}"
        log.warning("Row %d failed: %s", item.number, said)
        row = {**_facts(item.order), "status": "failed", "error": said, **self._paid_for_nothing(item.order)}
        self._end(item.number, row, retryable=retryable)

    def _paid_for_nothing(self, order: Order) -> dict[str, float | None]:
        """Tell what an item that failed has cost, in this execution and before."""
        try:
            receipt = self._fulfilment(False).receipts(order).read(order.fingerprint)
        except ReceiptUnreadableError:
            return {"credits": None, "credits_in_doubt": None}
        if receipt is None:
            return {"credits": 0.0, "credits_in_doubt": 0.0}
        lost = order.credits if receipt.state is ReceiptState.INTENT else 0.0
        return {
            "credits": receipt.credits - receipt.credits_in_doubt,
            "credits_in_doubt": receipt.credits_in_doubt + lost,
        }

    def _stop_by(self, error: BaseException) -> None:
        with self._changed:
            if self._stopped_by is None:
                self._stopped_by = error if isinstance(error, Exception) else BatchStoppedError(repr(error))
                self._changed.notify_all()

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

    def _wanted(self) -> int:
        """How many items should be under way."""
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
        self.counts.waiting = len(self._retries)
        self._report(self.counts)


def _seen(row: PromptRow) -> dict[str, Any]:
    """Show what a row that is no good says, as text."""
    return {
        "name": None if row.name is None else str(row.name)[:200],
        "prompt": None if row.prompt is None else str(row.prompt)[:2000],
    }


def _facts(order: Order) -> dict[str, Any]:
    return {"name": order.name, "prompt": order.prompt, "fingerprint": order.fingerprint}
