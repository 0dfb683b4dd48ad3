"""Items of a batch that wait for a retry: they failed for a passing reason, or their answer may still come."""

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
    """Keeps items until they are due; thread-safe.

    :param pause: seconds until an item's first retry; the pause doubles with each retry, up to a minute.
    :param clock: returns seconds from any start.
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
        """Keep an item for later; the pause grows with the number of times it was kept before."""
        pause = min(_LONGEST_PAUSE, self._pause * 2**times)
        with self._lock:
            heapq.heappush(self._waiting, (self._clock() + pause, next(self._order), item))

    def due(self) -> _Item | None:
        """Remove and return an item that is due; ``None`` if there is none."""
        with self._lock:
            if not self._waiting or self._waiting[0][0] > self._clock():
                return None
            return heapq.heappop(self._waiting)[2]

    def seconds_until_due(self) -> float:
        """Return the seconds until the next item is due; infinite if there is none."""
        with self._lock:
            return max(0.0, self._waiting[0][0] - self._clock()) if self._waiting else math.inf
