"""What a quota allows, exactly: the most requests that its sliding windows let through between two moments."""

from __future__ import annotations

from collections.abc import Sequence


def policies(quota: str) -> list[tuple[int, float]]:
    """Read ``"600/60,20/1"``."""
    return [
        (int(requests), float(seconds)) for requests, _, seconds in (one.partition("/") for one in quota.split(","))
    ]


def moments(quota: str, count: int) -> list[float]:
    """Give the earliest seconds, from the first, at which so many requests can be let through.

    A window of ``n`` requests in ``w`` seconds lets a request through ``w`` seconds after the n-th before it, so to
    send each as early as may be is the most that any client can do.
    """
    found: list[float] = []
    for number in range(count):
        full = [found[number - requests] + seconds for requests, seconds in policies(quota) if number >= requests]
        found.append(max(full, default=0.0))
    return found


def allowed(quota: str, seconds: float) -> int:
    """Give how many requests the quota lets through from a first one to so many seconds later, both included."""
    most = sum(int(seconds // window + 1) * requests for requests, window in policies(quota)[:1])
    return sum(moment <= seconds for moment in moments(quota, most + 1))


def used(quota: str, arrivals: Sequence[float]) -> float:
    """Give the share of what the quota allowed, from the first to the last of these arrivals, that they used."""
    return len(arrivals) / allowed(quota, max(arrivals) - min(arrivals))
