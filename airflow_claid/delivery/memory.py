"""How much memory pictures take in this process at once. Whoever needs more than is free waits.

There are two budgets: one for the bytes of files, one for opening them. A thread holds the bytes of one file, and
opens that one file, so threads cannot wait for each other in a circle.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class MemoryBudget:
    """Bytes that all pictures of a process may take together; shared by its threads.

    :param total: bytes.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()
        self._queue: deque[Reservation] = deque()

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._queue)

    def reservation(self, size: int = 0) -> Reservation:
        """Return a reservation, to be used in a ``with`` block; it waits there until ``size`` bytes are free.

        :param size: bytes; more than the total counts as the total.
        """
        return Reservation(self, size)

    def add(self, reservation: Reservation, size: int) -> bool:
        """Give a reservation more bytes, if they are free and nobody waits for some."""
        with self._changed:
            if self._queue or size > self._free:
                return False
            self._take(reservation, size)
            return True

    def replace(self, reservation: Reservation, size: int) -> None:
        """Take back what a reservation has, and wait until so many bytes are free. Who came first is served first."""
        with self._changed:
            self._take(reservation, -reservation.size)
            self._queue.append(reservation)
            try:
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue[0] is reservation and size <= self._free)
                self._take(reservation, size)
            finally:
                self._queue.remove(reservation)
                self._changed.notify_all()

    def release(self, reservation: Reservation) -> None:
        """Take back what a reservation has."""
        with self._changed:
            self._take(reservation, -reservation.size)
            self._changed.notify_all()

    def _take(self, reservation: Reservation, size: int) -> None:
        self._free -= size
        reservation.size += size


class Reservation:
    """A part of a budget, given back at the end of the ``with`` block."""

    def __init__(self, budget: MemoryBudget, wanted: int) -> None:
        self.size = 0
        self._budget = budget
        self._wanted = wanted

    def __enter__(self) -> Reservation:
        if not self.grows_to(self._wanted):
            self.wait_for(self._wanted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.release(self)

    def grows_to(self, size: int) -> bool:
        """Tell whether so many bytes in all could be had without waiting; if so, they are reserved."""
        more = min(size, self._budget.total) - self.size
        return more <= 0 or self._budget.add(self, more)

    def wait_for(self, size: int) -> None:
        """Give back what was reserved, and wait until so many bytes are free."""
        self._budget.replace(self, min(size, self._budget.total))


FILES = MemoryBudget(400_000_000)
"""For the bytes of files: two of the largest, or very many of the usual size."""

OPENED = MemoryBudget(1_000_000_000)
"""For opening files: one with 178 million pixels, or very many of the usual size."""
