"""How a task that pays has ended, for notifiers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How a task, or this part of it, has ended.

    :param blocked_share: share of its pictures, or of its items, that was blocked, 0 to 1.
    :param failed_share: share of its requests, or of its items, that failed or was invalid, 0 to 1.
    :param lost_answers: answers that were lost in this process; their requests may have been charged.
    :param credits_in_doubt: what these may have cost.
    """

    blocked_share: float = 0.0
    failed_share: float = 0.0
    lost_answers: int = 0
    credits_in_doubt: float = 0.0
