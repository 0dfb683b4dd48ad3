"""What other clients of an account take of its quota, as far as answers tell."""

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
    """The part of the quota that is left to others, who are seen in two ways; not thread-safe.

    Counted: an answer says how many requests remain, which is less than we ourselves have left. As an answer may
    come many seconds after its request was counted, what others will take is reckoned from how their number grows.

    Suspected: a request is refused although our own do not use up the quota. Then a quarter of ours is left to them.

    What was left to others is only little by little taken again (ours doubles in a minute), because many clients
    that know nothing of each other see the same free room at the same time; it goes quicker, in ten seconds, once
    answers say that there is nobody else.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._ours = 1.0
        self._since = 0.0
        self._suspected_at = 0.0
        self._forgotten_in = _FORGOTTEN_IN

    def part(self, now: float) -> float:
        """Give the part of the quota that is to be left to others: 0 where nobody else is seen."""
        return 1.0 - self._ours_at(now)

    def count(self, now: float, moment: float, part: float, window: float) -> None:
        """Note that others had sent this part of the quota in the window that ended at the moment, in seconds."""
        if self._seen and moment < self._seen[-1][0]:
            return
        self._ours, self._since = self._ours_at(now), now
        self._forgotten_in = _FORGOTTEN_IN if part or moment < self._suspected_at else _REFUTED_IN
        self._seen.append((moment, part))
        while self._seen[0][0] < moment - _RECENT:
            self._seen.popleft()
        if part:
            since, before = self._seen[0]
            growth = (part - before) / max(moment - since, _RECENT / 2)
            self.leave(now, max(part, min(_MOST_FORESEEN, growth * window)) + _MARGIN)

    def suspect(self, now: float) -> None:
        """Leave others a step more than now."""
        self._suspected_at, self._forgotten_in = now, _FORGOTTEN_IN
        self.leave(now, 1.0 - self._ours_at(now) * _STEP)

    def leave(self, now: float, part: float) -> None:
        """Leave others at least this part."""
        self._ours = max(_LEAST, min(self._ours_at(now), 1.0 - part))
        self._since = now

    def _ours_at(self, now: float) -> float:
        return min(1.0, self._ours * math.exp((now - self._since) / self._forgotten_in))
