"""How many requests an account may send in a time: Claid's headers read, and sending paced by them."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SLACK = 0.1
"""Seconds by which requests may differ in the time they take to arrive: a window is kept so much longer."""

_POLICY = re.compile(r"(\d+);w=(\d+)")


@dataclass(frozen=True)
class Policy:
    """At most ``requests`` in any ``window`` seconds."""

    requests: int
    window: float


DEFAULT_POLICIES = (Policy(120, 60), Policy(4, 1))
"""Claid's published default for an account. Accounts differ: the headers of the first answer replace it."""


@dataclass(frozen=True)
class RateLimit:
    """The ``RateLimit-*`` headers of one answer.

    ``remaining`` is -1 once the quota is exceeded; ``reset`` is in seconds.
    """

    policies: tuple[Policy, ...]
    remaining: int | None
    reset: float | None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimit:
        """Read what is there; a header that is missing or unreadable gives ``None`` or no policy."""
        policies = tuple(
            Policy(int(requests), float(window))
            for requests, window in _POLICY.findall(headers.get("RateLimit-Limit", ""))
            if int(requests) > 0 and int(window) > 0
        )
        return cls(
            policies,
            remaining=_integer(headers.get("RateLimit-Remaining")),
            reset=_seconds(headers.get("RateLimit-Reset")),
        )


class Quota:
    """Paces one account's requests; thread-safe, and fair because each caller books the next free moment.

    :param policies: what holds until an answer says otherwise.
    :param clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        policies: tuple[Policy, ...] = DEFAULT_POLICIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._policies = policies
        self._booked: deque[float] = deque(maxlen=_longest(policies))
        self._closed_until = 0.0

    def book(self) -> float:
        """Book the next moment at which a request may be sent; return the seconds until then."""
        with self._lock:
            now = self._clock()
            moment = max(now, self._closed_until)
            for policy in self._policies:
                if len(self._booked) >= policy.requests:
                    moment = max(moment, self._booked[-policy.requests] + policy.window + _SLACK)
            self._booked.append(moment)
            return moment - now

    def closed_for(self) -> float:
        """Give the seconds for which nothing may be sent, because an answer said so; 0 where it may."""
        with self._lock:
            return max(0.0, self._closed_until - self._clock())

    def observe(self, seen: RateLimit) -> None:
        """Follow what an answer said: the policies in force, and a quota that is used up until its reset."""
        with self._lock:
            if seen.policies and seen.policies != self._policies:
                self._policies = seen.policies
                self._booked = deque(self._booked, maxlen=_longest(seen.policies))
            if seen.remaining is None or seen.remaining > 0 or not seen.reset:
                return
            if seen.remaining < 0 or not self._our_own_doing(seen.reset):
                self._closed_until = max(self._closed_until, self._clock() + seen.reset)

    def _our_own_doing(self, reset: float) -> bool:
        """Whether the last requests booked here use up, by themselves, a policy that opens again so soon.

        They are paced already: closing the quota as well would leave every other window unused.
        """
        return any(
            reset <= policy.window
            and len(self._booked) >= policy.requests
            and self._booked[-1] - self._booked[-policy.requests] <= policy.window + _SLACK
            for policy in self._policies
        )


def _longest(policies: tuple[Policy, ...]) -> int:
    return max((policy.requests for policy in policies), default=1)


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None
