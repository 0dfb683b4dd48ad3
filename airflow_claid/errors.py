"""The errors of the package, and what each means for the bill and for a retry."""

from __future__ import annotations


class AirflowClaidError(Exception):
    """Base of every error that this package raises."""

    retryable = False
    """Whether the same call can succeed later without anybody changing anything."""

    may_have_been_charged = False
    """Whether Claid may have done, and charged, what was asked."""


class PictureError(AirflowClaidError):
    """A picture could not be fetched, checked or written. It is paid; a retry pays nothing again."""

    retryable = True


class DownloadRefusedError(PictureError):
    """A link or what it gave breaks a rule of safety; nothing of it was kept."""

    retryable = False


class DeadLinkError(PictureError):
    """A temporary link no longer gives its picture (Claid keeps them 24 hours)."""

    retryable = False


class DownloadFailedError(PictureError):
    """A picture did not arrive whole; the link may still give it."""


class JobFailedError(AirflowClaidError):
    """Claid ended a job without a result."""


class JobGoneError(JobFailedError):
    """Claid does not know a job that was paid."""


class JobTimeoutError(AirflowClaidError, TimeoutError):
    """A job takes longer than the wait; it goes on, and a retry waits for it again without paying."""

    retryable = True


class ReceiptUnreadableError(AirflowClaidError):
    """A receipt may exist but could not be read, so nothing was sent: paying twice is worse than stopping."""

    retryable = True


class LostAnswerError(AirflowClaidError):
    """A request may have been paid, its answer is lost, and ``on_lost_response`` says to fail."""


class AnswerPendingError(AirflowClaidError):
    """A request was sent, its answer may still come, and the thread that asked has other things to do meanwhile."""

    retryable = True


class CreditCeilingError(AirflowClaidError):
    """The next request would spend more than ``max_credits``; it was not sent."""


class PartialFailureError(AirflowClaidError):
    """Some orders of a task failed.

    :param message: which, and why.
    :param retryable: whether a retry may succeed.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class BatchStoppedError(AirflowClaidError):
    """A batch was stopped before all items were asked for. What is paid is kept; the next try goes on from there.

    :param message: why.
    :param retryable: whether a retry may succeed.
    """

    retryable = True

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class PollFailedError(AirflowClaidError):
    """A place, or a job, could not be polled several times in a row. A retry may succeed."""

    retryable = True


def is_retryable(error: BaseException) -> bool:
    """Return whether a retry may cure an error; one that is not ours (a bucket's, the network's) may pass."""
    return error.retryable if isinstance(error, AirflowClaidError) else True


def may_have_been_charged(error: BaseException | None) -> bool:
    """Return whether the request that ended in an error may have been charged."""
    return isinstance(error, AirflowClaidError) and error.may_have_been_charged
