"""A clock that moves only when somebody sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Clock:
    """Seconds that pass in ``sleep`` only; serves as clock and as sleep.

    :param also: told of each sleep, such as a sandbox whose own clock is to move along.
    """

    def __init__(self, also: Callable[[float], None] | None = None) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._also = also
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)
        if self._also is not None:
            self._also(seconds)
