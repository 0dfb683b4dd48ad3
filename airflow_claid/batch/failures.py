"""When the items that fail stop a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.client import ClaidNotSentError
from airflow_claid.errors import BatchStoppedError
from airflow_claid.fulfilment.failures import FAILURES_OF_AN_OUTAGE

_ENOUGH_FOR_A_SHARE = 100

_BEFORE_CLAID_IS_REACHED = 5
"""This many in a row mean an outage where no connection was ever made: a wrong address, or no sandbox was started."""


class Failures:
    """Says when too many items have failed.

    The share that failed means little before a hundred items have ended. It is looked at whenever an item ends, however
    it ended: invalid rows end at once, while the items before them still run.

    :param terms: say how many may fail.
    """

    def __init__(self, terms: BatchTerms) -> None:
        self._terms = terms
        self._last_error: str | None = None

    def that_stop(
        self, row: dict[str, Any], counts: Callable[[], BatchCounts], *, retryable: bool
    ) -> BatchStoppedError | None:
        """Return the error that stops the batch now that an item has ended; ``None`` if the batch goes on.

        :param row: of the item that has ended.
        :param counts: returns the counts of the batch, this item among them.
        :param retryable: whether an item that failed may succeed later.
        """
        if row["status"] in ("failed", "invalid"):
            self._last_error = row["error"]
            if self._terms.on_error == "fail":
                return BatchStoppedError(f"{self._last_error} (on_error='fail')", retryable=retryable)
        if self._last_error is None:
            return None
        now = counts()
        if now.tried < _ENOUGH_FOR_A_SHARE or now.share_failed <= self._terms.error_threshold:
            return None
        return BatchStoppedError(
            f"{now.failed} of {now.tried} items failed or were invalid: more than "
            f"error_threshold={self._terms.error_threshold:g} allows. The last error: {self._last_error}",
            retryable=now.by_status["failed"] > 0,
        )


class Outage:
    """Tells from the items that fail one after the other whether Claid, or the way to it, is out of order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._is_reached = False

    def refute(self) -> None:
        """Begin anew: an item has ended by an answer of Claid's."""
        with self._lock:
            self._in_a_row, self._is_reached = 0, True

    def is_shown_by(self, error: Exception) -> bool:
        """Count an item that failed for a passing reason; return whether these are too many."""
        with self._lock:
            self._in_a_row += 1
            self._is_reached = self._is_reached or not isinstance(error, ClaidNotSentError)
            return self._in_a_row >= (FAILURES_OF_AN_OUTAGE if self._is_reached else _BEFORE_CLAID_IS_REACHED)
