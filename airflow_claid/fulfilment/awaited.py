"""Since when an execution of a task waits for each answer that has not come."""

from __future__ import annotations

import threading
import time

from airflow_claid.fulfilment.receipt import Receipt


class AwaitedAnswers:
    """The answers that one execution of a task waits for; shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[tuple[str, str | None], float] = {}

    def seconds_left(self, receipt: Receipt, grace: float) -> float:
        """Return how long to wait for an answer, counted from when this was asked first.

        The clock by which receipts are dated may be changed; this one is not.

        :param grace: seconds to wait at most.
        """
        now = time.monotonic()
        with self._lock:
            return grace - (now - self._since.setdefault((receipt.fingerprint, receipt.asked_at), now))
