"""How many requests an account may send: sliding windows and the RateLimit headers they make."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: int

    @classmethod
    def parse_all(cls, text: str) -> tuple[Policy, ...]:
        """Read ``"120/60,4/1"``; an empty text is no limit at all."""
        policies = []
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            requests, _, seconds = part.partition("/")
            policies.append(cls(int(requests), int(seconds)))
        if any(policy.requests < 1 or policy.seconds < 1 for policy in policies):
            raise ValueError(f"Quota {text!r} is not of the form REQUESTS/SECONDS,… with whole numbers above 0.")
        return tuple(policies)


@dataclass(frozen=True)
class Reading:
    """What the windows say to one request."""

    allowed: bool
    headers: dict[str, str]


class Quota:
    """Sliding windows over accepted requests; a refused request does not count.

    The limit in force (first in ``RateLimit-Limit``) is the exceeded one, else one that is used up, else the
    longest.
    """

    def __init__(self, text: str, clock: Callable[[], float]) -> None:
        self.policies = Policy.parse_all(text)
        self._clock = clock
        self._taken: list[deque[float]] = [deque() for _ in self.policies]
        self._lock = threading.Lock()

    def take(self) -> Reading:
        """Count one request, or refuse it."""
        if not self.policies:
            return Reading(allowed=True, headers={})
        with self._lock:
            now = self._clock()
            self._forget(now)
            left = [policy.requests - len(taken) for policy, taken in zip(self.policies, self._taken, strict=True)]
            allowed = min(left) > 0
            if allowed:
                for taken in self._taken:
                    taken.append(now)
                left = [count - 1 for count in left]
            return Reading(allowed, self._headers(left, now, allowed=allowed))

    def refusal(self) -> Reading:
        """Headers of an exceeded limit, whatever the windows say."""
        if not self.policies:
            return Reading(allowed=False, headers={})
        with self._lock:
            return Reading(False, self._headers([0] * len(self.policies), self._clock(), allowed=False))

    def _forget(self, now: float) -> None:
        for policy, taken in zip(self.policies, self._taken, strict=True):
            while taken and taken[0] <= now - policy.seconds:
                taken.popleft()

    def _headers(self, left: list[int], now: float, *, allowed: bool) -> dict[str, str]:
        used_up = [number for number, count in enumerate(left) if count <= 0]
        choice = max(used_up or range(len(left)), key=lambda number: self.policies[number].seconds)
        policy, taken = self.policies[choice], self._taken[choice]
        wait = taken[0] + policy.seconds - now if taken else policy.seconds
        listed = ", ".join(f"{one.requests};w={one.seconds}" for one in self.policies)
        return {
            "RateLimit-Limit": f"{policy.requests}, {listed}",
            "RateLimit-Remaining": str(left[choice] if allowed else -1),
            "RateLimit-Reset": str(max(0, math.ceil(wait))),
        }
