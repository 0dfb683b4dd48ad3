"""Items of a batch that wait for a retry: they failed for a passing reason, or their answer may still come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from airflow_claid.batch.schedule import Schedule

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
        self._waiting: Schedule[_Item] = Schedule()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: _Item, times: int) -> None:
        """Keep an item for later; the pause grows with the number of times it was kept before."""
        pause = min(_LONGEST_PAUSE, self._pause * 2**times)
        with self._lock:
            self._waiting.add(item, self._clock() + pause)

    def due(self) -> _Item | None:
        """Remove and return an item that is due; ``None`` if there is none."""
        with self._lock:
            return self._waiting.due(self._clock())

    def seconds_until_due(self) -> float:
        """Return the seconds until the next item is due; infinite if there is none."""
        with self._lock:
            return max(0.0, self._waiting.next_moment - self._clock())
