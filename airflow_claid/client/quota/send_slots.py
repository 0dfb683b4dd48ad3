"""Send slots: few requests at a time are prepared, so that few intents are written while they wait for the quota."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AT_ONCE = 16


class SendSlots:
    """Lets few threads at a time prepare a request and wait for the quota; the others wait before that.

    A request's intent ("may have been paid") is written before the request is sent. With send slots it becomes true
    within seconds; if every thread that waits for the quota wrote one, a crash would leave as many intents of requests
    that were never sent.
    """

    def __init__(self) -> None:
        self._free = threading.Semaphore(_AT_ONCE)
        self._of_thread = threading.local()

    @contextmanager
    def send_slot(self, before_sending: Callable[[], None] | None = None) -> Iterator[None]:
        """Wait for a slot; it is free again once this thread has sent a request, or leaves.

        :param before_sending: is called each time that a paid request is about to be sent, after the wait for the
            quota, and may raise to prevent it.
        """
        self._free.acquire()
        self._of_thread.held = True
        self._of_thread.before_sending = before_sending
        try:
            yield
        finally:
            self._of_thread.before_sending = None
            self.sent()

    def about_to_send(self) -> None:
        """Call this thread's ``before_sending``; it may raise to prevent the request."""
        before_sending = getattr(self._of_thread, "before_sending", None)
        if before_sending is not None:
            before_sending()

    def sent(self) -> None:
        """Free this thread's slot, if it holds one: its request is on its way."""
        if getattr(self._of_thread, "held", False):
            self._of_thread.held = False
            self._free.release()
