"""The terms on which a batch runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchTerms:
    """How many items run at once, and what becomes of those that fail.

    :param concurrency: items running at once, those included whose job is waited for; ``None``: as many as the quota
        and the duration of a request, or of a job, require.
    :param on_error: ``"continue"``, or ``"fail"`` to stop at the first item that fails.
    :param error_threshold: the share of items, 0 to 1, that may fail.
    :param pause: seconds until an item's first retry; the pause doubles with each retry, up to a minute.
    """

    concurrency: int | None = None
    on_error: str = "continue"
    error_threshold: float = 0.1
    pause: float = 5.0
