"""When it is time to say how far a task has come: now and then, however many pictures there are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

INTERVAL = 30.0
"""Seconds between two lines of the log, at least."""


class Progress:
    """Tells when a line on the progress is due; thread-safe.

    :param clock: returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock()

    def is_due(self) -> bool:
        """Return whether to log a line now; then none is due for 30 seconds."""
        with self._lock:
            now = self._clock()
            due = now - self._last >= INTERVAL
            if due:
                self._last = now
            return due
