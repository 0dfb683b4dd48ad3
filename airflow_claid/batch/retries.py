"""Items of a batch that failed for a passing reason, or wait for something, and are to be tried again later."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

_LONGEST_PAUSE = 60.0


class Retries(Generic[_Item]):
    """Keeps items until their time has come; thread-safe.

    :param pause: seconds until an item is tried again for the first time; each time twice as long, up to a minute.
    :param clock: seconds, from any beginning.
    """

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, _Item]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: _Item, times: int) -> None:
        """Keep an item for later, the longer the more times it has been kept before."""
        pause = min(_LONGEST_PAUSE, self._pause * 2**times)
        with self._lock:
            heapq.heappush(self._waiting, (self._clock() + pause, next(self._order), item))

    def due(self) -> _Item | None:
        """Take out an item whose time has come."""
        with self._lock:
            if not self._waiting or self._waiting[0][0] > self._clock():
                return None
            return heapq.heappop(self._waiting)[2]

    def seconds_until_due(self) -> float:
        """Give the seconds until the next item's time; infinite where there is none."""
        with self._lock:
            return max(0.0, self._waiting[0][0] - self._clock()) if self._waiting else math.inf
