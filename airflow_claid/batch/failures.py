"""When the items that fail stop a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.errors import BatchStoppedError

_ENOUGH_FOR_A_SHARE = 100


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
