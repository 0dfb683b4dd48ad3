"""The progress of a batch, in numbers."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

GONE = "gone"
"""The status of an item of an earlier batch whose input is there no more."""

STATUSES = ("done", "blocked", "failed", "invalid", "duplicate", "skipped", GONE)
"""The possible results of an item."""


@dataclass(frozen=True)
class BatchCounts:
    """The progress of a batch.

    :param by_status: number of items by status: one of :data:`STATUSES`.
    :param reused: how many of these cost this execution nothing, because they were paid for before.
    :param images: usable pictures.
    :param credits: what this execution spent, as far as is known.
    :param credits_in_doubt: what it may have spent besides, for requests whose answer is lost.
    :param waiting: items that wait for a retry.
    :param jobs: items whose job is waited for.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    images: int = 0
    credits: float = 0.0
    credits_in_doubt: float = 0.0
    waiting: int = 0
    jobs: int = 0

    @property
    def items(self) -> int:
        """Number of items that have ended; those that are gone are none of this batch."""
        return sum(self.by_status.values()) - self.by_status[GONE]

    @property
    def tried(self) -> int:
        """Number of items that have ended, without those that were skipped."""
        return self.items - self.by_status["skipped"]

    @property
    def failed(self) -> int:
        """Number of items that failed or were invalid."""
        return self.by_status["failed"] + self.by_status["invalid"]

    @property
    def share_failed(self) -> float:
        """Share of the items tried that failed or were invalid."""
        return self.failed / max(1, self.tried)


class BatchCounter:
    """Counts the items of a batch as they end; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_status: Counter[str] = Counter()
        self._reused = 0
        self._images = 0

    def end(self, status: str, *, images: int = 0, reused: bool = False) -> None:
        """Count an item that has ended.

        :param status: one of :data:`STATUSES`.
        :param images: number of its usable pictures.
        :param reused: whether it cost this execution nothing, because it was paid for before.
        """
        with self._lock:
            self._by_status[status] += 1
            self._images += images
            self._reused += reused

    def counts(self, *, credits: float, credits_in_doubt: float, waiting: int, jobs: int) -> BatchCounts:  # noqa: A002
        """Return the counts at this moment, together with those that are kept elsewhere."""
        with self._lock:
            return BatchCounts(
                Counter(self._by_status), self._reused, self._images, credits, credits_in_doubt, waiting, jobs
            )
