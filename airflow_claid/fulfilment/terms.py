"""The terms on which an order is fulfilled: what may be spent, and how long to wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Terms:
    """On what terms an order is fulfilled.

    :param regenerate: pay again on purpose, once for each run of the task (a clear counts as a run, a retry does
        not).
    :param on_lost_response: ``"resubmit"`` or ``"fail"``, for an answer that is lost and cannot be looked up.
    :param grace: seconds after asking in which an answer may still come: into connected storage, or to another run
        that asks for the same thing.
    :param margin: a temporary link is used again only if it lives at least so long.
    :param max_credits: stop before spending more than this in one execution; ``None`` for no ceiling.
    :param lookup_interval: seconds between two polls of a place, or a receipt, where an answer may appear.
    :param poll_interval: the longest time, in seconds, between two polls of a job; the first ones come sooner.
    :param timeout: seconds to wait for a job.
    """

    regenerate: bool = False
    on_lost_response: str = "resubmit"
    grace: float = 180.0
    margin: timedelta = timedelta(hours=1)
    max_credits: float | None = None
    lookup_interval: float = 2.0
    poll_interval: float = 10.0
    timeout: float = 3600.0
