"""What the error of one item means for it, and for the batch. Pure."""

from __future__ import annotations

from enum import Enum

from airflow_claid.client import (
    ClaidAuthenticationError,
    ClaidCreditsError,
    ClaidRateLimitError,
    ClaidRequestError,
    ClaidScopeError,
    ClaidValidationError,
)
from airflow_claid.errors import (
    AnswerPendingError,
    BatchStoppedError,
    CreditCeilingError,
    JobFailedError,
    JobTimeoutError,
    LostAnswerError,
    PlaceRefusedError,
    SpendLimitError,
    SpendStoreError,
    UnprovenAnswersError,
    UnreadAnswerError,
)

_OF_ALL_ITEMS = (
    ClaidAuthenticationError,
    ClaidScopeError,
    ClaidCreditsError,
    CreditCeilingError,
    SpendLimitError,
    PlaceRefusedError,
    UnprovenAnswersError,
    BatchStoppedError,
)
_OF_ONE_ITEM = (
    ClaidRequestError,
    ClaidValidationError,
    JobFailedError,
    JobTimeoutError,
    LostAnswerError,
    UnreadAnswerError,
)

_UNSENT = (ClaidRateLimitError, SpendStoreError)


class Verdict(Enum):
    """What to do about an error."""

    WAIT = "wait"
    """Try the item again later: nothing has failed."""
    STOP = "stop"
    """Stop the batch: it concerns all items."""
    FAIL = "fail"
    """Record the item as failed, and go on with the others."""
    RETRY = "retry"
    """Retry the item a few times, if that may help."""
    RETRY_UNSENT = "retry what was not sent"
    """Retry the item, and do not count it as a failure: it was never sent."""

    @classmethod
    def of(cls, error: Exception) -> Verdict:
        """Return what to do about an error."""
        if isinstance(error, AnswerPendingError):
            return cls.WAIT
        if isinstance(error, _OF_ALL_ITEMS):
            return cls.STOP
        if isinstance(error, _OF_ONE_ITEM):
            return cls.FAIL
        return cls.RETRY_UNSENT if isinstance(error, _UNSENT) else cls.RETRY
