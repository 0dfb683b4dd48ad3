"""What exactly a quota allows: the most requests that its sliding windows accept between two moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile


def moments(quota: str) -> Iterator[float]:
    """Yield without end the earliest moments at which requests can be accepted, in seconds from the first.

    A window of ``n`` requests in ``w`` seconds accepts a request ``w`` seconds after the n-th before it. No client can
    do better than send each request at the earliest moment.

    :param quota: as the sandbox takes it: ``"600/60,20/1"``.
    """
    windows = [(int(requests), float(seconds)) for requests, seconds in (one.split("/") for one in quota.split(","))]
    times: list[float] = []
    while True:
        full = (times[-requests] + seconds for requests, seconds in windows if len(times) >= requests)
        times.append(max(full, default=0.0))
        yield times[-1]


def allowed(quota: str, seconds: float) -> int:
    """Return how many requests the quota accepts from a first one to this many seconds later, both included."""
    return sum(1 for _ in takewhile(lambda moment: moment <= seconds, moments(quota)))


def used(quota: str, arrivals: Sequence[float]) -> float:
    """Return the share of the quota that these arrivals used, from the first to the last."""
    return len(arrivals) / allowed(quota, max(arrivals) - min(arrivals))
