"""Send slots: few requests at a time get ready to be sent, so that few are announced and then wait for the quota."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AT_ONCE = 16


class SendSlots:
    """Lets few threads at a time get a request ready and wait for the quota with it; the others wait before that.

    What is written down before a request is sent (that it may be paid) is then true within seconds: were it written
    by all threads that wait for a quota, a crash would leave as many requests that look sent, and were not.
    """

    def __init__(self) -> None:
        self._free = threading.Semaphore(_AT_ONCE)
        self._mine = threading.local()

    @contextmanager
    def send_slot(self, before_sending: Callable[[], None] | None = None) -> Iterator[None]:
        """Wait for a turn; it is over when this thread has sent a request, or leaves.

        :param before_sending: is asked each time that a paid request is about to be sent, after the wait for the
            quota, and may raise to prevent it.
        """
        self._free.acquire()
        self._mine.held = True
        self._mine.before_sending = before_sending
        try:
            yield
        finally:
            self._mine.before_sending = None
            self.sent()

    def about_to_send(self) -> None:
        """Ask whether this thread's paid request may still be sent; raises what ``before_sending`` raises."""
        asked = getattr(self._mine, "before_sending", None)
        if asked is not None:
            asked()

    def sent(self) -> None:
        """End this thread's turn, if it has one: its request is on its way."""
        if getattr(self._mine, "held", False):
            self._mine.held = False
            self._free.release()
