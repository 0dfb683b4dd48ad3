"""A batch: many orders fulfilled at once, as many as the quota takes; what becomes of each is a row of the manifest.

The orders go the same way as a single one (:mod:`airflow_claid.fulfilment`), in threads. What has ended before, by
the manifest of an earlier attempt, is not even looked at again. A batch that stops, for whatever reason, finishes
what is paid and leaves the rest to the next attempt.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from airflow_claid.client import (
    ClaidAnswerLostError,
    ClaidAuthenticationError,
    ClaidCreditsError,
    ClaidNotSentError,
    ClaidRateLimitError,
    ClaidRequestError,
    ClaidScopeError,
    ClaidServerError,
    ClaidValidationError,
)
from airflow_claid.crowd import MOST_THREADS, Crowd
from airflow_claid.errors import (
    BatchStoppedError,
    CreditCeilingError,
    JobFailedError,
    LostAnswerError,
    PictureError,
    ReceiptUnreadableError,
)
from airflow_claid.fulfilment import Fulfilled, Fulfilment
from airflow_claid.manifest import Manifest
from airflow_claid.orders import Order
from airflow_claid.prompt_files import PromptRow

log = logging.getLogger(__name__)

STATUSES = ("done", "blocked", "failed", "invalid", "duplicate")
"""What can become of an item."""

_ATTEMPTS = 4
_TICK = 0.5
_PATIENCE_WITH_OUTAGES = 40
"""So many items in a row that fail for one passing reason or another mean an outage, not bad luck."""

_ENOUGH_FOR_A_SHARE = 100
_OF_THE_ACCOUNT = (ClaidAuthenticationError, ClaidScopeError, ClaidCreditsError)
_PASSING = (
    ClaidAnswerLostError,
    ClaidServerError,
    ClaidNotSentError,
    ClaidRateLimitError,
    ReceiptUnreadableError,
    OSError,
)
_OF_ONE_ITEM = (ClaidRequestError, JobFailedError, LostAnswerError, PictureError)


@dataclass(frozen=True)
class BatchTerms:
    """On what terms a batch is worked through.

    :param concurrency: items under way at once; ``None``: as many as the quota and the time that one takes ask for.
    :param max_credits: no more is spent by one execution; ``None`` for no ceiling.
    :param on_error: ``"continue"``, or ``"fail"`` to stop at the first item that fails.
    :param error_threshold: the share of items, 0 to 1, that may fail.
    """

    concurrency: int | None = None
    max_credits: float | None = None
    on_error: str = "continue"
    error_threshold: float = 0.1


@dataclass
class Tally:
    """How far a batch has come.

    :param by_status: items by what became of them: done, blocked, failed, invalid, duplicate.
    :param reused: items of these that cost this execution nothing, because they were paid before.
    :param images: good pictures.
    :param credits: what this execution spent.
    :param waiting: items that are to be tried again.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    images: int = 0
    credits: float = 0.0
    waiting: int = 0

    @property
    def items(self) -> int:
        """How many items have ended."""
        return sum(self.by_status.values())

    @property
    def share_failed(self) -> float:
        """What share of the items that ended failed or was invalid."""
        return (self.by_status["failed"] + self.by_status["invalid"]) / max(1, self.items)


@dataclass(frozen=True)
class _Item:
    number: int
    order: Order
    attempts: int = 0


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
    :param report: is told the tally at a steady pace, and at the end.
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
        report: Callable[[Tally], None],
        report_seconds: float = 30.0,
    ) -> None:
        self.tally = Tally()
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
        self._crowd = Crowd()
        self._again: deque[_Item] = deque()
        self._reserved = 0.0
        self._failed_in_a_row = 0
        self._stopped_by: Exception | None = None
        self._asked: dict[bytes, int] = {}

    def run(self) -> Tally:
        """Work through all items; the manifest then has a row for each.

        :raises ClaidError: if the account cannot go on (key, scope, credits); what is paid is finished and kept.
        :raises CreditCeilingError: if the next item would spend more than ``max_credits``.
        :raises BatchStoppedError: if the batch was stopped, or too many items failed.
        """
        with ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="claid-batch") as pool:
            try:
                for item in self._items():
                    self._wait_for_room()
                    if self._stopped_by is not None:
                        break
                    with self._changed:
                        self._under_way += 1
                    pool.submit(self._work, item)
            except BaseException:
                self.stop("the task ended early")
                raise
            finally:
                self._wait_for_all()
                self._manifest.flush()
                self._report(self.tally)
        if self._stopped_by is not None:
            raise self._stopped_by
        return self.tally

    def stop(self, reason: str) -> None:
        """Send nothing more; what is under way is finished. May be called from a signal handler."""
        if self._stopped_by is None:
            self._stopped_by = BatchStoppedError(reason)

    def _items(self) -> Iterator[_Item]:
        """Give what is to be asked: all rows first, then what failed for a passing reason, until nothing is left."""
        for row in self._rows:
            if self._stopped_by is not None:
                return
            item = self._item_of(row)
            if item is not None:
                yield item
            else:
                self._tick()
        while True:
            with self._changed:
                while not self._again and self._under_way and self._stopped_by is None:
                    self._changed.wait(_TICK)
                    self._tick()
                if not self._again:
                    return
                item = self._again.popleft()
                self.tally.waiting = len(self._again)
            yield item

    def _item_of(self, row: PromptRow) -> _Item | None:
        """Make a row's order; ``None`` where there is nothing to be asked for it."""
        problem = row.problem and f"row {row.number} {row.problem}. Nothing was sent, nothing was charged."
        try:
            order = None if problem else self._order_of(row)
        except ClaidValidationError as error:
            problem, order = str(error), None
        if order is None:
            self._end(row.number, {**_seen(row), "fingerprint": None, "status": "invalid", "error": problem})
            return None
        digest = bytes.fromhex(order.fingerprint)
        first = self._asked.setdefault(digest, row.number)
        facts = {"name": order.name, "prompt": order.prompt, "fingerprint": order.fingerprint}
        if first != row.number:
            self._end(row.number, {**facts, "status": "duplicate", "of": first})
            return None
        before = self._manifest.index.get(order.fingerprint)
        if before is None or before["status"] not in ("done", "blocked") or not self._still_there(before):
            return _Item(row.number, order)
        self.tally.reused += 1
        self.tally.images += len(before.get("paths", ()))
        self._end(row.number, before, known=self._manifest.index.has(row.number, order.fingerprint))
        return None

    def _end(self, number: int, row: dict[str, Any], *, known: bool = False) -> None:
        """Write down what became of an item."""
        if not known:
            self._manifest.add({**row, "row": number})
        with self._changed:
            self.tally.by_status[row["status"]] += 1
            self._stop_if_too_many_failed()

    def _stop_if_too_many_failed(self) -> None:
        failed = self.tally.by_status["failed"] + self.tally.by_status["invalid"]
        if failed and self._terms.on_error == "fail":
            self.stop("an item failed, and on_error='fail'")
        elif self.tally.items >= _ENOUGH_FOR_A_SHARE and self.tally.share_failed > self._terms.error_threshold:
            self.stop(f"{failed} of {self.tally.items} items failed: more than error_threshold allows")

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
                self._changed.notify_all()

    def _fulfil(self, item: _Item) -> None:
        fulfilment = self._fulfilment(item.attempts == 0)
        reserved: list[float] = []
        fulfilment.before_paying = lambda order: reserved.append(self._reserve(order))
        try:
            result = fulfilment.fulfil(item.order)
        except (*_OF_THE_ACCOUNT, CreditCeilingError, BatchStoppedError) as error:
            self._stop_by(error)
        except (*_PASSING, PictureError) as error:
            self._failed_for_now(item, error)
        except _OF_ONE_ITEM as error:
            self._failed(item, error)
        else:
            self._failed_in_a_row = 0
            self._fulfilled(item, result)
        finally:
            with self._changed:
                self._reserved -= sum(reserved)
                self.tally.credits += fulfilment.spent

    def _reserve(self, order: Order) -> float:
        """Make sure, at the last moment, that an order may be paid."""
        with self._changed:
            if self._stopped_by is not None:
                raise BatchStoppedError("the batch is stopping")
            ceiling = self._terms.max_credits
            spent = self.tally.credits + self._reserved
            if ceiling is not None and spent + order.credits > ceiling:
                raise CreditCeilingError(
                    f"{spent:g} credits are spent by this execution, the next item costs {order.credits:g}, and "
                    f"max_credits={ceiling:g}"
                )
            self._reserved += order.credits
        return order.credits

    def _fulfilled(self, item: _Item, result: Fulfilled) -> None:
        good = [image for image in result.images if image.good]
        with self._changed:
            self.tally.images += len(good)
            self.tally.reused += result.credits == 0
        self._end(
            item.number,
            {
                "name": item.order.name,
                "prompt": item.order.prompt,
                "fingerprint": item.order.fingerprint,
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
        if outage:
            self._stop_by(error)
        elif item.attempts + 1 < _ATTEMPTS and getattr(error, "curable", True):
            log.info("Row %d is tried again later: %s", item.number, error)
            with self._changed:
                self._again.append(_Item(item.number, item.order, item.attempts + 1))
                self.tally.waiting = len(self._again)
        else:
            self._failed(item, error)

    def _failed(self, item: _Item, error: Exception) -> None:
        log.warning("Row %d failed: %s", item.number, error)
        self._end(
            item.number,
            {
                "name": item.order.name,
                "prompt": item.order.prompt,
                "fingerprint": item.order.fingerprint,
                "status": "failed",
                "error": f"{type(error).__name__}: {error}",
            },
        )

    def _stop_by(self, error: BaseException) -> None:
        with self._changed:
            if self._stopped_by is None:
                self._stopped_by = error if isinstance(error, Exception) else BatchStoppedError(repr(error))

    def _wait_for_room(self) -> None:
        """Wait until one more item may be under way."""
        with self._changed:
            while self._under_way >= self._wanted() and self._stopped_by is None:
                self._changed.wait(_TICK)
                self._tick()
        self._tick()

    def _wait_for_all(self) -> None:
        """Wait until nothing is under way; write down at once what there is, for somebody may be in a hurry."""
        if self._stopped_by is not None:
            self._manifest.flush()
        with self._changed:
            while self._under_way:
                self._changed.wait(_TICK)
                self._tick()

    def _wanted(self) -> int:
        """How many items should be under way."""
        if self._terms.concurrency is not None:
            return self._terms.concurrency
        return self._crowd.size(self._quota_rate(), self._latency())

    def _tick(self) -> None:
        """Report, if it is time to."""
        now = time.monotonic()
        if now - self._reported_at >= self._report_seconds:
            self._reported_at = now
            self._report(self.tally)


def _seen(row: PromptRow) -> dict[str, Any]:
    """Show what a row that is no good says, as text."""
    return {
        "name": None if row.name is None else str(row.name)[:200],
        "prompt": None if row.prompt is None else str(row.prompt)[:2000],
    }
