"""Waiting for pictures: what is waited for, what one look showed, and what to do next.

:func:`decide` is the one place where a wait ends. The sensor and the trigger both feed it, so that poke, reschedule
and deferrable mode cannot drift apart. It knows no network and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from airflow_claid.client import ClaidError, ClaidValidationError
from airflow_claid.delivery.downloads import without_query
from airflow_claid.errors import PictureError
from airflow_claid.storage.places import Place, edit_place
from airflow_claid.version_compat import AirflowNotFoundException
from airflow_claid.waiting.jobs import PATIENCE

_LINKS = ("https://", "http://")


@dataclass(frozen=True)
class Watch:
    """What is waited for.

    :param output: a folder or file (``storage://``, ``s3://``, ``gs://``, ``file://``) or a link to one picture.
    :param number_of_images: how many good images must be there.
    :param recursive: whether the folders in the folder count as well.
    """

    output: str
    number_of_images: int = 1
    recursive: bool = False

    @classmethod
    def of(cls, output: object, number_of_images: object = 1, *, recursive: bool = False) -> Watch:
        """Check and build a watch.

        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        if not isinstance(output, str) or not output.strip():
            raise ClaidValidationError(
                f"output={output!r} must be a folder or file (storage://…, s3://…, gs://…, file:///…), or the "
                "https:// link of one picture"
            )
        number = number_of_images
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ClaidValidationError(f"number_of_images={number!r} must be a whole number, 1 or more")
        watch = cls(output.strip(), number, recursive)
        one = "one picture" if watch.is_link else "one file" if watch.place.file else None
        if one and number > 1:
            raise ClaidValidationError(
                f"output={without_query(watch.output)!r} is {one}, and number_of_images={number}: wait for the folder, "
                "or for 1 image"
            )
        return watch

    @property
    def is_link(self) -> bool:
        """Whether it is a link to one picture."""
        return self.output.startswith(_LINKS)

    @property
    def place(self) -> Place:
        """The folder or file, where it is no link."""
        return edit_place(self.output)


@dataclass(frozen=True)
class Poll:
    """What one look at a place showed.

    :param good: paths of the good images, sorted.
    :param blocked: how many pictures are the content filter's plain black.
    :param unfinished: how many files are pictures of which a part is missing.
    :param others: how many files are no pictures.
    """

    good: tuple[str, ...] = ()
    blocked: int = 0
    unfinished: int = 0
    others: int = 0


class Outcome(Enum):
    """What a look asks of whoever waits."""

    ARRIVED = "arrived"
    WAIT = "wait"
    TIMED_OUT = "timed out"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Decision:
    """What to do after a look.

    :param outcome: the decision; ``REFUSED`` is what no retry cures, ``FAILED`` what one may.
    :param message: what the look showed, for the log or the error.
    :param paths: of the good images, sorted; all that are there, which may be more than were waited for.
    :param failures: polls that failed in a row, to be handed to the next decision.
    """

    outcome: Outcome
    message: str
    paths: tuple[str, ...] = ()
    failures: int = 0


def decide(
    watch: Watch, seen: Poll | Exception, *, failures: int = 0, overdue: bool = False, patience: int = PATIENCE
) -> Decision:
    """Decide what to do after a look.

    :param watch: what is waited for.
    :param seen: what the look showed, or the error that it ended in.
    :param failures: how many polls in a row failed before this one.
    :param overdue: whether the time to wait is over.
    :param patience: so many failed polls in a row end the wait.
    """
    if not isinstance(seen, Exception):
        message = _told(watch, seen)
        if len(seen.good) >= watch.number_of_images:
            return Decision(Outcome.ARRIVED, message, seen.good)
        return Decision(Outcome.TIMED_OUT if overdue else Outcome.WAIT, message)
    failures += 1
    message = f"{without_query(watch.output)} could not be looked at: {type(seen).__name__}: {seen}"
    if _is_lasting(seen):
        return Decision(Outcome.REFUSED, message, failures=failures)
    message += f" (failed polls in a row: {failures}; the wait ends at {patience})"
    if failures >= patience:
        return Decision(Outcome.FAILED, message, failures=failures)
    return Decision(Outcome.TIMED_OUT if overdue else Outcome.WAIT, message, failures=failures)


def _is_lasting(error: Exception) -> bool:
    """Whether an error stays until somebody changes something."""
    if isinstance(error, (ClaidError, PictureError)):
        return not error.retryable
    return isinstance(error, AirflowNotFoundException)


def _told(watch: Watch, seen: Poll) -> str:
    besides = [
        f"{number} {what}"
        for number, what in (
            (seen.blocked, "blacked out by the content filter"),
            (seen.unfinished, "not whole"),
            (seen.others, "no picture"),
        )
        if number
    ]
    said = f"{len(seen.good)} of {watch.number_of_images} good images at {without_query(watch.output)}"
    return f"{said} (and {', '.join(besides)})" if besides else said
