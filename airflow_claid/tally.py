"""How far a batch has come, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

STATUSES = ("done", "blocked", "failed", "invalid", "duplicate")
"""What can become of an item."""


@dataclass
class Tally:
    """How far a batch has come.

    :param by_status: items by what became of them: done, blocked, failed, invalid, duplicate.
    :param reused: items of these that cost this execution nothing, because they were paid before.
    :param images: good pictures.
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
    def share_failed(self) -> float:
        """What share of the items that ended failed or was invalid."""
        return (self.by_status["failed"] + self.by_status["invalid"]) / max(1, self.items)
