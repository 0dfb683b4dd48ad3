"""The errors of the package: whether each may have cost credits, and whether a retry can help."""

from __future__ import annotations

from datetime import datetime


class AirflowClaidError(Exception):
    """Base of every error that this package raises."""

    retryable = False
    """Whether the same call may succeed later, with nothing changed."""

    may_have_been_charged = False
    """Whether Claid may have carried out the request and charged for it."""


class PictureError(AirflowClaidError):
    """A picture could not be fetched, checked or written. It is paid for; a retry costs nothing."""

    retryable = True


class DownloadRefusedError(PictureError):
    """A link, or what it returned, breaks a safety rule; nothing was kept."""

    retryable = False


class LinkNotAllowedError(DownloadRefusedError):
    """A link, or the one that it redirects to, may not be followed, so nothing was sent there.

    The picture is paid for, and its link may be good: allow the host, and clear the task.
    """


class DeadLinkError(PictureError):
    """A temporary link no longer returns its picture (Claid keeps pictures for 24 hours)."""

    retryable = False


class DownloadFailedError(PictureError):
    """A picture did not arrive whole; the link may still work."""


class PictureNotFoundError(PictureError):
    """A picture is not where Claid was to write it, nor where it says that it did."""


class JobFailedError(AirflowClaidError):
    """Claid ended a job without a result."""


class JobGoneError(JobFailedError):
    """Claid does not know a job that was paid for."""


class JobTimeoutError(AirflowClaidError, TimeoutError):
    """A job took longer than the timeout. It continues, and a retry waits for it again without paying."""

    retryable = True


class ReceiptUnreadableError(AirflowClaidError):
    """A receipt may exist but cannot be read, so nothing was sent: stopping is better than paying twice."""

    retryable = True


class PlaceRefusedError(AirflowClaidError):
    """A place takes no receipt, so nothing was sent: without one a retry would pay again."""


class LostAnswerError(AirflowClaidError):
    """A request may have been charged, its answer is lost, and ``on_lost_response`` says to fail."""


class UnreadAnswerError(AirflowClaidError):
    """A request was answered and charged, but its answer could not be read. The receipt keeps it as it came."""

    may_have_been_charged = True


class UnprovenAnswersError(AirflowClaidError):
    """No answer of an operation could be used yet, so no more of its requests are sent. Not charged.

    :param message: which operation, and why.
    :param retryable: whether a retry may succeed.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable: bool = retryable


class AnswerPendingError(AirflowClaidError):
    """The answer to a request may still come, and the thread does other work instead of waiting for it."""

    retryable = True


class CreditCeilingError(AirflowClaidError):
    """The next request would spend more than ``max_credits``; it was not sent."""


class SpendLimitError(AirflowClaidError):
    """The next request would spend more than a spend limit allows in its day or month; it was not sent.

    :param name: of the limit.
    :param used: credits that are spent or reserved.
    :param opens_at: when the next day or month begins.
    :param retry_after: seconds until then.
    """

    retryable = True

    def __init__(self, message: str, *, name: str, used: float, opens_at: datetime, retry_after: float) -> None:
        super().__init__(message)
        self.name = name
        self.used = used
        self.opens_at = opens_at
        self.retry_after = retry_after


class SpendStoreError(AirflowClaidError):
    """The Redis that counts a spend limit cannot be reached, so nothing was sent. A retry may succeed."""

    retryable = True


class PartialFailureError(AirflowClaidError):
    """Some orders of a task failed.

    :param message: which orders, and why.
    :param retryable: whether a retry may succeed.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable: bool = retryable


class BatchStoppedError(AirflowClaidError):
    """A batch stopped before it had requested all items. Paid results are kept; the next try resumes from there.

    :param message: why.
    :param retryable: whether a retry may succeed.
    """

    retryable: bool = True

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class PollFailedError(AirflowClaidError):
    """A place, or a job, could not be polled several times in a row. A retry may succeed."""

    retryable = True


def is_retryable(error: BaseException) -> bool:
    """Return whether a retry may help; errors that are not ours (a bucket's, the network's) count as passing."""
    return error.retryable if isinstance(error, AirflowClaidError) else True


def may_have_been_charged(error: BaseException | None) -> bool:
    """Return whether a request that failed with this error may have been charged."""
    return isinstance(error, AirflowClaidError) and error.may_have_been_charged
