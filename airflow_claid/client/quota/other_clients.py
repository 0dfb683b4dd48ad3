"""Estimate how much of an account's quota other clients use, from Claid's answers."""

from __future__ import annotations

import math
from collections import deque

_LEAST = 0.05
_STEP = 0.75
_RECENT = 10.0
_FORGOTTEN_IN = 90.0
_REFUTED_IN = 15.0
_MARGIN = 0.04
_MOST_FORESEEN = 0.75


class OtherClients:
    """The share of the quota that is left to other clients; not thread-safe.

    Others are noticed in two ways. Counted: an answer says that fewer requests remain than our own requests leave.
    Because an answer may come many seconds after its request was counted, the share that others will need is estimated
    from the growth of their count. Suspected: a request is refused although our own requests do not use up the quota.
    A quarter of our share is then left to others.

    The share of others is taken back slowly (ours doubles in a minute), because many clients that do not know of each
    other see the same free quota at the same time. It is taken back in ten seconds once answers show that there are no
    others.
    """

    def __init__(self) -> None:
        self._counts: deque[tuple[float, float]] = deque()
        self._our_share = 1.0
        self._since = 0.0
        self._suspected_at = 0.0
        self._forgotten_in = _FORGOTTEN_IN

    def share(self, now: float) -> float:
        """Return the share of the quota to leave to others; 0 if there are none."""
        return 1.0 - self._our_share_at(now)

    def count(self, now: float, moment: float, share: float, window: float) -> None:
        """Note the share that others used in a window, of this length in seconds, that ended at this moment."""
        if self._counts and moment < self._counts[-1][0]:
            return
        self._our_share, self._since = self._our_share_at(now), now
        self._forgotten_in = _FORGOTTEN_IN if share or moment < self._suspected_at else _REFUTED_IN
        self._counts.append((moment, share))
        while self._counts[0][0] < moment - _RECENT:
            self._counts.popleft()
        if share:
            since, before = self._counts[0]
            growth = (share - before) / max(moment - since, _RECENT / 2)
            self.leave(now, max(share, min(_MOST_FORESEEN, growth * window)) + _MARGIN)

    def suspect(self, now: float) -> None:
        """Leave others one step more than now."""
        self._suspected_at, self._forgotten_in = now, _FORGOTTEN_IN
        self.leave(now, 1.0 - self._our_share_at(now) * _STEP)

    def leave(self, now: float, share: float) -> None:
        """Leave others at least this share."""
        self._our_share = max(_LEAST, min(self._our_share_at(now), 1.0 - share))
        self._since = now

    def _our_share_at(self, now: float) -> float:
        return min(1.0, self._our_share * math.exp((now - self._since) / self._forgotten_in))
