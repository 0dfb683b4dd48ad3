"""Which request each answer of an execution belongs to, so that none is taken for the answer to another one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from airflow_claid.orders.fingerprint import fingerprint
from airflow_claid.orders.order import Order

_MOST = 20_000
"""So many are remembered: a proxy mixes up answers that come within a short time."""


class ClaimedAnswers:
    """What the answers of one execution name: jobs, links and addresses; shared by its threads.

    Claid makes each of them for one request. An answer that names what another request got before is that one's answer
    again, as from a cache. Requests that ask for the same may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claimed: OrderedDict[int, int] = OrderedDict()

    def claim(self, order: Order, names: Iterable[str]) -> str | None:
        """Claim what an answer names for an order; return the first of it that another request got before."""
        asked = hash(fingerprint(base_url=order.base_url, operation=order.operation, body=order.body, place={}))
        with self._lock:
            for name in names:
                if self._claimed.setdefault(hash((order.base_url, name)), asked) != asked:
                    return name
                if len(self._claimed) > _MOST:
                    self._claimed.popitem(last=False)
        return None
