"""How many threads should run at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

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


class ConcurrencyLimit:
    """Finds the number of threads: enough to use the whole quota, but no more than this process can keep busy.

    Where requests are answered at once, few threads are enough and the processor is the limit: with more threads each
    request takes longer, as if still more threads were needed. So the number grows step by step towards what the quota
    requires, and shrinks while the processor is busy.

    :param wall: returns the time in seconds.
    :param cpu: returns the processor time in seconds that this process has used.
    """

    def __init__(
        self, wall: Callable[[], float] = time.monotonic, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._wall, self._cpu = wall, cpu
        self._since = (wall(), cpu())
        self._size = float(FEWEST_THREADS)

    def size(self, rate: float | None, latency: float | None) -> int:
        """Return the number of threads for now.

        :param rate: requests a second that the quota allows; ``None`` where there is no limit.
        :param latency: seconds that a request takes; ``None`` before the first answer.
        """
        now = self._wall()
        elapsed = now - self._since[0]
        if elapsed >= _PERIOD:
            used = self._cpu()
            busy = (used - self._since[1]) / elapsed
            self._since = (now, used)
            self._size = self._size * 0.75 if busy > _BUSY else self._size * 1.5
        wanted = MOST_THREADS if rate is None else math.ceil(rate * (latency or _USUAL_SECONDS) * _ROOM) + 8
        self._size = max(FEWEST_THREADS, min(self._size, wanted, MOST_THREADS))
        return int(self._size)
