"""How many threads should run at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_THREADS = 400
FEWEST_THREADS = 32
"""Even in a busy process: most of its threads wait for an answer, a disk or a bucket."""

_ROOM = 1.3
"""Factor by which more items run than the quota and the average duration require: durations vary."""

_USUAL_SECONDS = 8.0
"""Assumed duration of a request before the first answer."""

_BUSY = 0.8
"""Share of one processor above which more threads only slow each other down: Python runs one at a time."""

_PERIOD = 0.5
_STEP = 1.5
"""Factor by which the number of threads grows in a period."""

_IN_USE = 0.8
"""Share of the threads below which they wait for items: more of them would do so, too."""

_NEAR_QUOTA = 0.4
"""Share of the quota above which the quota is the limit, and what it requires is known."""

_SLOW = 3.0
"""Seconds of an answer above which it is Claid that takes them, not the processor, the disk or a local server."""

_ITEMS_EACH = 4
_SECONDS = 1.0
"""For so many items a thread, and so long, a rate is measured."""

_LEAST_GAIN = 0.4
"""With half as many threads more, a fifth more items should end: else they only wait for the same server or disk."""

_HOLD, _LONGEST_HOLD = 10.0, 300.0
"""Seconds after which more threads are tried again that did not help; each time twice as long."""


@dataclass(frozen=True)
class _Speed:
    """How many items a second ended with a number of threads."""

    threads: float
    rate: float

    def gained(self, threads: float, rate: float) -> bool:
        """Return whether this rate is worth so many more threads."""
        return rate >= self.rate * (1 + _LEAST_GAIN * (threads / self.threads - 1))


class ConcurrencyLimit:
    """Finds the number of threads: enough to use the whole quota, but no more than make it faster.

    Where requests are answered at once, the processor, the disk or the server is the limit: with more threads each
    request takes longer, as if still more threads were needed. So the number grows step by step towards what the quota
    requires. It shrinks while the processor is busy, and goes back where a step did not end more items a second.

    :param wall: returns the time in seconds.
    :param cpu: returns the processor time in seconds that this process has used.
    """

    def __init__(
        self, wall: Callable[[], float] = time.monotonic, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._wall, self._cpu = wall, cpu
        self._ticked = (wall(), cpu())
        self._since = (wall(), 0)
        """When the measurement began, and how many items had ended."""
        self._size = float(FEWEST_THREADS)
        self._fewer: _Speed | None = None
        """That of before the last step."""
        self._measured = False
        self._hold = _HOLD
        self._held_until = wall()

    def size(self, rate: float | None, latency: float | None, *, running: int, ended: int) -> int:
        """Return the number of threads for now.

        :param rate: requests a second that the quota allows; ``None`` where there is no limit.
        :param latency: seconds that a request takes; ``None`` before the first answer.
        :param running: number of items that are running.
        :param ended: number of items that have ended.
        """
        wanted = MOST_THREADS if rate is None else math.ceil(rate * (latency or _USUAL_SECONDS) * _ROOM) + 8
        now = self._wall()
        elapsed = now - self._ticked[0]
        if elapsed >= _PERIOD:
            used = self._cpu()
            busy = (used - self._ticked[1]) / elapsed
            self._ticked = (now, used)
            if busy > _BUSY:
                self._go_to(self._size * 0.75, now, ended, before=None)
            elif running < self._size * _IN_USE:
                self._go_to(self._size, now, ended, before=self._fewer)
            elif self._size < min(wanted, MOST_THREADS) or self._fewer is not None:
                self._grow(rate, latency or 0.0, now, ended)
        self._size = max(FEWEST_THREADS, min(self._size, wanted, MOST_THREADS))
        return int(self._size)

    def _grow(self, allowed: float | None, latency: float, now: float, ended: int) -> None:
        """Take a step, unless the last one did not help."""
        items, seconds = ended - self._since[1], now - self._since[0]
        is_near_quota = allowed is not None and items >= allowed * seconds * _NEAR_QUOTA
        if not self._measured and items < self._size:
            self._size *= _STEP  # answers take longer: too early to measure
        elif is_near_quota or latency >= _SLOW:
            self._go_to(self._size * _STEP, now, ended, before=None)
        elif items >= self._size * _ITEMS_EACH and seconds >= _SECONDS:
            self._measured = True
            speed = _Speed(self._size, items / seconds)
            if self._fewer is not None and not self._fewer.gained(speed.threads, speed.rate):
                self._go_to(self._fewer.threads, now, ended, before=None)
                self._held_until, self._hold = now + self._hold, min(self._hold * 2, _LONGEST_HOLD)
            elif now >= self._held_until:
                self._hold = self._hold if self._fewer is None else _HOLD
                self._go_to(self._size * _STEP, now, ended, before=speed)
            else:
                self._go_to(self._size, now, ended, before=None)

    def _go_to(self, size: float, now: float, ended: int, *, before: _Speed | None) -> None:
        """Set the number of threads, and measure anew."""
        self._size = size
        self._since = (now, ended)
        self._fewer = before
