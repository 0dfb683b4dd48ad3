"""The account's quota: sliding windows and their RateLimit headers."""

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
        """Parse ``"120/60,4/1"``; an empty text means no limit."""
        policies = []
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            requests, _, seconds = part.partition("/")
            policies.append(cls(int(requests), int(seconds)))
        if any(policy.requests < 1 or policy.seconds < 1 for policy in policies):
            raise ValueError(f"Quota {text!r} is not of the form REQUESTS/SECONDS,… with whole numbers above 0.")
        return tuple(policies)


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed, and the headers of its answer."""

    allowed: bool
    headers: dict[str, str]


class Quota:
    """Sliding windows over the allowed requests; refused requests do not count.

    ``RateLimit-Limit`` begins with the limit in force: the exceeded one, else one that is used up, else the longest.
    """

    def __init__(self, text: str, clock: Callable[[], float]) -> None:
        self.policies = Policy.parse_all(text)
        self._clock = clock
        self._windows: list[deque[float]] = [deque() for _ in self.policies]
        self._lock = threading.Lock()

    def take(self) -> Decision:
        """Count one request, or refuse it."""
        if not self.policies:
            return Decision(allowed=True, headers={})
        with self._lock:
            now = self._clock()
            self._forget(now)
            left = [policy.requests - len(window) for policy, window in zip(self.policies, self._windows, strict=True)]
            allowed = min(left) > 0
            if allowed:
                for window in self._windows:
                    window.append(now)
                left = [count - 1 for count in left]
            return Decision(allowed, self._headers(left, now, allowed=allowed))

    def refusal(self) -> Decision:
        """Return a refusal with the headers of an exceeded limit, whatever the windows say."""
        if not self.policies:
            return Decision(allowed=False, headers={})
        with self._lock:
            return Decision(False, self._headers([0] * len(self.policies), self._clock(), allowed=False))

    def _forget(self, now: float) -> None:
        for policy, window in zip(self.policies, self._windows, strict=True):
            while window and window[0] <= now - policy.seconds:
                window.popleft()

    def _headers(self, left: list[int], now: float, *, allowed: bool) -> dict[str, str]:
        used_up = [number for number, count in enumerate(left) if count <= 0]
        choice = max(used_up or range(len(left)), key=lambda number: self.policies[number].seconds)
        policy, window = self.policies[choice], self._windows[choice]
        waited = now - window[0] if window else 0.0
        policies = ", ".join(f"{each.requests};w={each.seconds}" for each in self.policies)
        return {
            "RateLimit-Limit": f"{policy.requests}, {policies}",
            "RateLimit-Remaining": str(left[choice] if allowed else -1),
            "RateLimit-Reset": str(max(0, math.ceil(policy.seconds - waited))),
        }
