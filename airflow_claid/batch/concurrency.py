"""How many threads should be at work at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

MOST_THREADS = 400
FEWEST_THREADS = 32
"""Also of a busy process: most of its threads wait, for an answer, a disk or a bucket."""

_ROOM = 1.3
"""So many times as many items are under way as the quota and the time of one ask for: times vary."""

_USUAL_SECONDS = 8.0
"""How long a request is taken to last before the first answer."""

_BUSY = 0.8
"""Share of one processor from which on more threads only get in each other's way: Python runs one at a time."""

_PERIOD = 0.5


class ConcurrencyLimit:
    """Finds the number of threads: as many as fill the quota, but no more than this process can keep at work.

    Few threads are enough where requests are answered at once, and the processor is then what limits: with more, each
    takes longer, and looks as if it needed more threads still. So the number grows, step by step, towards what the
    quota asks for, and shrinks while the processor is busy.

    :param wall: seconds that pass.
    :param cpu: seconds of processor that this process has used.
    """

    def __init__(
        self, wall: Callable[[], float] = time.monotonic, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._wall, self._cpu = wall, cpu
        self._since = (wall(), cpu())
        self._size = float(FEWEST_THREADS)

    def size(self, rate: float | None, latency: float | None) -> int:
        """Give the number of threads now.

        :param rate: requests a second that the quota takes; ``None`` where there is no limit.
        :param latency: seconds that a request takes; ``None`` before the first answer.
        """
        now = self._wall()
        passed = now - self._since[0]
        if passed >= _PERIOD:
            used = self._cpu()
            busy = (used - self._since[1]) / passed
            self._since = (now, used)
            self._size = self._size * 0.75 if busy > _BUSY else self._size * 1.5
        asked = MOST_THREADS if rate is None else math.ceil(rate * (latency or _USUAL_SECONDS) * _ROOM) + 8
        self._size = max(FEWEST_THREADS, min(self._size, asked, MOST_THREADS))
        return int(self._size)
