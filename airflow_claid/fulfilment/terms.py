"""The terms of fulfilment: whether to pay again, and how long to wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Terms:
    """The terms on which an order is fulfilled.

    :param regenerate: pay again on purpose, once for each run of the task (a clear counts as a run, a retry does
        not).
    :param on_lost_response: ``"resubmit"`` or ``"fail"``, for an answer that is lost and whose pictures are not found.
    :param grace: seconds after the request in which an answer may still come: into connected storage, or to another
        run that sent the same request.
    :param wait_for_answers: whether to wait here for an answer that may still come. If false, as in a batch, raise
        ``AnswerPendingError`` instead, so that the thread can do other work.
    :param margin: a temporary link is reused only if it stays valid for at least this long.
    :param lookup_interval: seconds between two lookups of a place, or of a receipt, where an answer may appear.
    :param poll_interval: the longest time, in seconds, between two polls of a job; the first ones come sooner.
    :param timeout: seconds to wait for a job.
    """

    regenerate: bool = False
    on_lost_response: str = "resubmit"
    grace: float = 180.0
    wait_for_answers: bool = True
    margin: timedelta = timedelta(hours=1)
    lookup_interval: float = 2.0
    poll_interval: float = 10.0
    timeout: float = 3600.0
