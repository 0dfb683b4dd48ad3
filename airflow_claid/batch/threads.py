"""The threads of a batch: how many items and polls run in them, and waits until fewer do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from airflow_claid.batch.concurrency import MOST_THREADS

POLLS_AT_ONCE = 16
"""Polls have threads of their own: those of the items may all wait for what a poll shows."""

_TICK = 0.5
_MOMENT = 0.01


class Threads:
    """Runs work in threads; used as a context manager, which ends when all work has ended."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST_THREADS + POLLS_AT_ONCE, thread_name_prefix="claid-batch")
        self._changed = threading.Condition()
        self._wake_at = 0
        """The waiting thread is woken when no more than this number of items are running."""
        self.running = 0
        """Items in threads, but for those that are being polled."""
        self.ended = 0
        """Items that have left their thread."""
        self.polling = 0

    def __enter__(self) -> Threads:
        self._pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, traceback)

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self.running and not self.polling

    @property
    def may_poll(self) -> bool:
        """Whether a thread is free for a poll."""
        return self.polling < POLLS_AT_ONCE

    def run(self, work: Callable[[], None]) -> None:
        """Run an item's work."""
        with self._changed:
            self.running += 1
        self._pool.submit(self._run, work)

    def poll(self, work: Callable[[], None]) -> None:
        """Run the poll of an item's job."""
        with self._changed:
            self.polling += 1
        self._pool.submit(self._poll, work)

    def pause(self, seconds: float, *, while_more_than: int | None = None) -> None:
        """Wait for a change, at most for these seconds: that few items are running, that a poll ended, or a wake.

        :param while_more_than: how many items are few; if no more are running, this returns at once.
        """
        with self._changed:
            self._wake_at = while_more_than or 0
            if while_more_than is None or self.running > while_more_than:
                self._changed.wait(min(_TICK, max(_MOMENT, seconds)) if self.may_poll else _TICK)

    def wake(self) -> None:
        """Wake the waiting thread: there is something new for it."""
        with self._changed:
            self._changed.notify_all()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._changed:
                self.running -= 1
                self.ended += 1
                if self.running <= self._wake_at:
                    self._changed.notify_all()

    def _poll(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._changed:
                self.polling -= 1
                self._changed.notify_all()
