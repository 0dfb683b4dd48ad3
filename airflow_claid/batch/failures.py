"""When the items that fail stop a batch."""

from __future__ import annotations

import threading
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

    Invalid rows end at once, while the items before them still run: their share is that of all items begun, and it
    means little before there are a hundred.

    :param terms: say how many may fail.
    """

    def __init__(self, terms: BatchTerms) -> None:
        self._terms = terms

    def that_stop(
        self, row: dict[str, Any], counts: BatchCounts, begun: int, *, retryable: bool
    ) -> BatchStoppedError | None:
        """Return the error that stops the batch now that an item failed or was invalid; ``None`` if it goes on.

        :param row: of the item.
        :param counts: of the batch, this item among them.
        :param begun: number of items that have ended or still run.
        :param retryable: whether the item may succeed later.
        """
        if self._terms.on_error == "fail":
            return BatchStoppedError(f"{row['error']} (on_error='fail')", retryable=retryable)
        items = max(counts.tried, begun - counts.by_status["skipped"])
        if items < _ENOUGH_FOR_A_SHARE or counts.failed <= self._terms.error_threshold * items:
            return None
        return BatchStoppedError(
            f"{counts.failed} of {items} items failed or were invalid: more than "
            f"error_threshold={self._terms.error_threshold:g} allows. The last error: {row['error']}",
            retryable=counts.by_status["failed"] > 0,
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
