"""Which request each answer of an execution belongs to, so that none is taken for the answer to another one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

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
        self._of_unknown: OrderedDict[int, None] = OrderedDict()

    def claim(self, order: Order, names: Iterable[str], *, just_sent: bool = False) -> str | None:
        """Claim what an answer names for an order; return the first of it that another request got before.

        :param just_sent: whether the request was sent a moment ago. Only then it cannot be the one that first got what
            an answer kept from before named, too.
        """
        asked = hash(fingerprint(base_url=order.base_url, operation=order.operation, body=order.body, place={}))
        with self._lock:
            for name in names:
                known = hash((order.base_url, name))
                if just_sent and known in self._of_unknown:
                    return name
                if self._claimed.setdefault(known, asked) != asked:
                    return name
                _let_go(self._claimed)
        return None

    def set_aside(self, order: Order, names: Iterable[str]) -> None:
        """Remember what an answer to an order names, of which an earlier try knew that another request got it."""
        with self._lock:
            for name in names:
                self._of_unknown[hash((order.base_url, name))] = None
                _let_go(self._of_unknown)


def _let_go(remembered: OrderedDict[int, Any]) -> None:
    """Forget the first one where there are too many."""
    if len(remembered) > _MOST:
        remembered.popitem(last=False)
