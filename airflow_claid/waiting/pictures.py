"""Waiting for pictures: what is waited for, what one poll showed, and what to do next.

:func:`decide` is the one place where the wait for pictures ends. The sensor and the trigger both feed it. It knows no
network and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_claid.client import ClaidValidationError
from airflow_claid.delivery.download_rules import without_query
from airflow_claid.storage.addresses import is_link
from airflow_claid.storage.places import Place, edit_place
from airflow_claid.waiting.decision import PATIENCE, Decision, WaitState


def checked_number(number_of_images: object) -> int:
    """Check how many pictures are waited for.

    :raises ClaidValidationError: if it is no number of pictures.
    """
    if isinstance(number_of_images, bool) or not isinstance(number_of_images, int) or number_of_images < 1:
        raise ClaidValidationError(f"number_of_images={number_of_images!r} must be a whole number, 1 or more")
    return number_of_images


@dataclass(frozen=True)
class Watch:
    """What is waited for.

    :param output: a folder or file (``storage://``, ``s3://``, ``gs://``, ``file://``) or a link to one picture.
    :param number_of_images: how many usable images must be there.
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
        number = checked_number(number_of_images)
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
        return is_link(self.output)

    @property
    def place(self) -> Place:
        """The folder or file, where it is no link."""
        return edit_place(self.output)


@dataclass(frozen=True)
class Poll:
    """What one poll of a place showed.

    :param usable: paths of the usable images, sorted.
    :param blocked: how many pictures are the content filter's plain black.
    :param unfinished: how many files are pictures of which a part is missing.
    :param others: how many files are no pictures.
    """

    usable: tuple[str, ...] = ()
    blocked: int = 0
    unfinished: int = 0
    others: int = 0


@dataclass(frozen=True)
class PictureDecision(Decision):
    """What to do after a poll of a place.

    :param paths: of the usable images, sorted; all that are there, which may be more than were waited for.
    """

    paths: tuple[str, ...] = ()


def decide(
    watch: Watch, polled: Poll | Exception, *, failures: int = 0, overdue: bool = False, patience: int = PATIENCE
) -> PictureDecision:
    """Decide what to do after a poll of a place.

    :param watch: what is waited for.
    :param polled: what the poll showed, or the error that it ended in.
    :param failures: how many polls in a row failed before this one.
    :param overdue: whether the time to wait is over.
    :param patience: so many failed polls in a row end the wait. A used-up quota is no failure.
    """
    if isinstance(polled, Exception):
        place = without_query(watch.output)
        return PictureDecision.after_failure(place, polled, failures=failures, overdue=overdue, patience=patience)
    enough = len(polled.usable) >= watch.number_of_images
    state = WaitState.after_poll(ended=enough, overdue=overdue)
    return PictureDecision(state, _description(watch, polled), paths=polled.usable if enough else ())


def _description(watch: Watch, poll: Poll) -> str:
    others = [
        f"{number} {what}"
        for number, what in (
            (poll.blocked, "blocked by the content filter"),
            (poll.unfinished, "not whole"),
            (poll.others, "no picture"),
        )
        if number
    ]
    usable = f"{len(poll.usable)} of {watch.number_of_images} usable images at {without_query(watch.output)}"
    return f"{usable} (and {', '.join(others)})" if others else usable
