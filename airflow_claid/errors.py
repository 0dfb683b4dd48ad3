"""What can go wrong between Claid's answer and the picture in its place."""

from __future__ import annotations


class PictureError(Exception):
    """A picture could not be fetched, checked or written. ``curable`` tells whether a retry may succeed."""

    curable = True


class DownloadRefusedError(PictureError):
    """A link or what it gave breaks a rule of safety; nothing of it was kept."""

    curable = False


class DeadLinkError(PictureError):
    """A temporary link no longer gives its picture (Claid keeps them 24 hours)."""

    curable = False


class DownloadFailedError(PictureError):
    """A picture did not arrive whole; the link may still give it."""


class JobFailedError(Exception):
    """Claid ended a job without a result."""


class JobGoneError(JobFailedError):
    """Claid does not know a job that was paid."""


class JobTimeoutError(TimeoutError):
    """A job takes longer than was to be waited; it goes on, and a retry waits for it again without paying."""

    curable = True


class ReceiptUnreadableError(Exception):
    """A receipt may exist but could not be read, so nothing was sent: paying twice is worse than stopping."""


class LostAnswerError(Exception):
    """A request may have been paid, its answer is lost, and ``on_lost_response`` says to fail."""


class CreditCeilingError(Exception):
    """The next request would spend more than ``max_credits``; it was not sent."""


class ErrandFailedError(Exception):
    """Some orders of a task failed. ``curable`` tells whether a retry may succeed."""

    curable = False


class BatchStoppedError(Exception):
    """A batch was stopped before all items were asked for. What is paid is kept; the next try goes on from there.

    :param message: why.
    :param curable: whether a retry may succeed.
    """

    curable = True

    def __init__(self, message: str, *, curable: bool = True) -> None:
        super().__init__(message)
        self.curable = curable


class LookFailedError(Exception):
    """A place, or a job, could not be looked at several times in a row. A retry may succeed."""
