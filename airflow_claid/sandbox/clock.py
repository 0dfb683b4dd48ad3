"""The sandbox's own clock, which can be advanced."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable


class Clock:
    """A clock: call it for the time in seconds. :meth:`advance` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._advanced = 0.0
        self._wakers: set[Callable[[], object]] = set()

    def __call__(self) -> float:
        """Return the time in seconds. Only differences are meaningful."""
        return time.monotonic() + self._advanced

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once, and wake everyone who waits for a moment."""
        with self._lock:
            self._advanced += seconds
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    async def until(self, moment: float) -> None:
        """Wait until this clock shows ``moment``."""
        loop, advanced = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(advanced.set)

        with self._lock:
            self._wakers.add(wake)
        try:
            while (left := moment - self()) > 0:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(advanced.wait(), left)
                advanced.clear()
        finally:
            with self._lock:
                self._wakers.discard(wake)
