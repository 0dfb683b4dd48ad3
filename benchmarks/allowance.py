"""What a quota allows, exactly: the most requests that its sliding windows let through between two moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile


def moments(quota: str) -> Iterator[float]:
    """Give, in seconds from the first, the earliest moments at which requests can be let through, without end.

    A window of ``n`` requests in ``w`` seconds lets a request through ``w`` seconds after the n-th before it. To send
    each as early as may be is the most that any client can do.

    :param quota: as the sandbox takes it: ``"600/60,20/1"``.
    """
    windows = [(int(requests), float(seconds)) for requests, seconds in (one.split("/") for one in quota.split(","))]
    found: list[float] = []
    while True:
        full = (found[-requests] + seconds for requests, seconds in windows if len(found) >= requests)
        found.append(max(full, default=0.0))
        yield found[-1]


def allowed(quota: str, seconds: float) -> int:
    """Give how many requests the quota lets through from a first one to so many seconds later, both included."""
    return sum(1 for _ in takewhile(lambda moment: moment <= seconds, moments(quota)))


def used(quota: str, arrivals: Sequence[float]) -> float:
    """Give the share of what the quota allowed, from the first to the last of these arrivals, that they used."""
    return len(arrivals) / allowed(quota, max(arrivals) - min(arrivals))
