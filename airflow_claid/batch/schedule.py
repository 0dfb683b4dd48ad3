"""Items by the moment at which each is due."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class Schedule(Generic[_Item]):
    """Items that wait until they are due; of several, the one that was due first comes first. Not thread-safe."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, _Item]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: _Item, moment: float) -> None:
        """Keep an item until a moment."""
        heapq.heappush(self._waiting, (moment, next(self._order), item))

    def due(self, now: float) -> _Item | None:
        """Remove and return the first item, if it is due; else ``None``."""
        return heapq.heappop(self._waiting)[2] if self._waiting and self._waiting[0][0] <= now else None

    @property
    def next_moment(self) -> float:
        """When the first item is due; infinite if there is none."""
        return self._waiting[0][0] if self._waiting else math.inf
