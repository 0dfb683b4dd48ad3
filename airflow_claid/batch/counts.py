"""How far a batch has come, in numbers."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

STATUSES = ("done", "blocked", "failed", "invalid", "duplicate")
"""What can become of an item."""


@dataclass(frozen=True)
class BatchCounts:
    """How far a batch has come.

    :param by_status: items by what became of them: done, blocked, failed, invalid, duplicate.
    :param reused: items of these that cost this execution nothing, because they were paid before.
    :param images: usable pictures.
    :param credits: what this execution spent, as far as is known.
    :param credits_in_doubt: what it may have spent besides: of requests whose answer is lost.
    :param waiting: items that are to be tried again.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    images: int = 0
    credits: float = 0.0
    credits_in_doubt: float = 0.0
    waiting: int = 0

    @property
    def items(self) -> int:
        """How many items have ended."""
        return sum(self.by_status.values())

    @property
    def failed(self) -> int:
        """How many items failed or were invalid."""
        return self.by_status["failed"] + self.by_status["invalid"]

    @property
    def share_failed(self) -> float:
        """What share of the items that ended failed or was invalid."""
        return self.failed / max(1, self.items)


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
        :param images: its usable pictures.
        :param reused: whether it cost this execution nothing, because it was paid before.
        """
        with self._lock:
            self._by_status[status] += 1
            self._images += images
            self._reused += reused

    def counts(self, *, credits: float, credits_in_doubt: float, waiting: int) -> BatchCounts:  # noqa: A002
        """Return the numbers as they are now, together with those that are counted elsewhere."""
        with self._lock:
            return BatchCounts(Counter(self._by_status), self._reused, self._images, credits, credits_in_doubt, waiting)
