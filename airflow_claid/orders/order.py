"""Orders: what is asked of Claid, where it goes and under which name; all that makes a paid request what it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_claid.client import Answer, Call, ClaidAnswerUnreadError, JobKind, OutputImage
from airflow_claid.client.calls import is_submission
from airflow_claid.client.reading import read_job, read_pictures, repeats_prompt
from airflow_claid.orders.fingerprint import fingerprint
from airflow_claid.storage.addresses import folded_path, folded_stem, without_connection
from airflow_claid.storage.places import Place
from airflow_claid.storage.signed_links import shown_in

LANDING_FOLDER = "_claid/landing/"
_SHORT = 16


@dataclass(frozen=True)
class Sent:
    """What came back at once: pictures, or the id of a job that makes them.

    :param proven: whether the answer repeats what was sent, and so is certainly the one to this request.
    """

    request_id: str | None
    images: tuple[OutputImage, ...] = ()
    proven: bool = False
    job_id: int | str | None = None


@dataclass(frozen=True, kw_only=True)
class Order(ABC):
    """One paid request and its place.

    :param base_url: Claid's address with the version.
    :param place: where the pictures go.
    :param name: what the user calls the pictures; ``None`` for a name from the fingerprint.
    :param landing: the place's folder as a ``storage://`` address, where the place is object storage that a
        connected storage covers. Claid then writes there, into a folder of the request's own, and we take the
        pictures over: so an answer that is lost can be looked up. ``None`` elsewhere.
    :param fallback_of: the fingerprint of the request in place of which it is sent, because all pictures of that were
        blocked; no part of its own.
    """

    base_url: str
    place: Place
    name: str | None
    landing: str | None = None
    fallback_of: str | None = None

    @property
    @abstractmethod
    def operation(self) -> str:
        """The contract's operation id."""

    @property
    def answer_form(self) -> str:
        """What one answer that was read proves: that answers of this form can be read."""
        return self.operation

    @property
    @abstractmethod
    def body(self) -> dict[str, Any]:
        """What is asked, the same on every try. Its links have no signature, but may have secrets: see ``recorded``."""

    @property
    def recorded(self) -> dict[str, Any]:
        """What is asked, as a receipt keeps it: of the query of a link, a digest."""
        kept: dict[str, Any] = shown_in(self.body)
        return kept

    @property
    @abstractmethod
    def subject(self) -> str:
        """The prompt or the input, for logs and receipts."""

    @property
    def prompt(self) -> str | None:
        """The prompt, where there is one."""
        return None

    @property
    def input(self) -> str | None:
        """The picture that it starts from, where there is one."""
        return None

    @property
    def version(self) -> str | None:
        """Which content that picture has; ``None`` where there is no picture, or only Claid reads it."""
        return None

    @property
    def inputs(self) -> tuple[str, ...]:
        """All addresses that it starts from."""
        return (self.input,) if self.input is not None else ()

    @property
    @abstractmethod
    def number_of_images(self) -> int:
        """How many pictures a whole answer has; 0 where only Claid knows."""

    @property
    @abstractmethod
    def credits(self) -> float:
        """What sending it costs, as far as is known."""

    @property
    def job_kind(self) -> JobKind | None:
        """Which kind of job it becomes; ``None`` for one that is answered at once."""
        return None

    def credits_when_done(self, pictures: int) -> float:
        """Return what it has cost in all, once it is known how many pictures it was about."""
        return self.credits

    @property
    @abstractmethod
    def filtered(self) -> bool:
        """Whether Claid's content filter looks at what comes out."""

    @property
    def video(self) -> bool:
        """Whether a video comes out, not pictures."""
        return False

    @property
    def findable(self) -> bool:
        """Whether what is at the destination tells, when an answer is lost, that it is this request's."""
        return True

    @abstractmethod
    def file_name(self, position: int) -> str:
        """Name of the picture's file in object storage."""

    @abstractmethod
    def destination(self, edition: int) -> str | None:
        """Where Claid itself is to write; ``None`` for temporary links."""

    @property
    def files(self) -> list[str]:
        """The addresses of the files that it writes, as far as they are known before."""
        if self.place.is_written_by_airflow:
            return [self.place.folder + self.file_name(position) for position in range(1, self.number_of_images + 1)]
        destination = self.destination(1)
        return [destination] if destination and not destination.endswith("/") else []

    @abstractmethod
    def prepared(self, edition: int) -> Call:
        """Get everything ready and return the call. Sending it is the moment that costs.

        :raises ClaidValidationError: if what is to be sent is not there; nothing was sent.
        """

    def read(self, answer: Answer) -> Sent:
        """Read the answer to the call: the id of a job, or pictures; first what an answer to that call should hold.

        :raises ClaidAnswerUnreadError: if it holds neither, or is the answer to another request.
        """
        if self.job_kind is None:
            return self._read_pictures(answer)
        readers = [self._read_job, self._read_pictures]
        if not is_submission(answer.operation):
            readers.reverse()
        try:
            return readers[0](answer)
        except ClaidAnswerUnreadError:
            with suppress(ClaidAnswerUnreadError):
                return readers[1](answer)
            raise

    def may_have_written(self, address: str, edition: int) -> bool:
        """Return whether an address that an answer names can be that of this request's picture.

        An answer that a proxy gave to the wrong request names what another one wrote.

        :param address: of whatever form, or the key of an object; a mere file name says nothing of whose it is.
        """
        destination = self.destination(edition)
        if destination is None:
            return False
        path, asked = folded_path(address), folded_path(destination)
        if not destination.endswith("/"):
            return folded_stem(address) == folded_stem(destination)
        if "/" not in path:
            return True
        return (self.fingerprint[:_SHORT] if self.findable else asked) in path

    def _read_pictures(self, answer: Answer) -> Sent:
        prompt = self.repeated_prompt
        return Sent(answer.request_id, read_pictures(answer, prompt), proven=repeats_prompt(answer, prompt))

    def _read_job(self, answer: Answer) -> Sent:
        if self.job_kind is None:
            raise ClaidAnswerUnreadError(answer, "no job makes its pictures")
        return Sent(answer.request_id, job_id=read_job(answer, self.job_kind, self.repeated_prompt).id)

    @property
    def repeated_prompt(self) -> str | None:
        """The prompt, for operations whose answer repeats it."""
        return None

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same request, whoever sends it and however often."""
        folder = without_connection(self.place.folder)
        place = {"folder": folder, "file": self.place.file, "name": self.name}
        return fingerprint(base_url=self.base_url, operation=self.operation, body=self.body, place=place)

    @property
    def label(self) -> str:
        """What the pictures are called: the user's name, or the start of the fingerprint."""
        return self.name or self.fingerprint[:_SHORT]

    def _own_name(self, edition: int) -> str:
        """Return a name that no other request has, and no other edition of this one."""
        parts = (self.name, self.fingerprint[:_SHORT], str(edition) if edition > 1 else None)
        return "-".join(part for part in parts if part)

    def _own_folder(self, edition: int) -> str | None:
        """Return a sub-folder that no other request has, for pictures whose file names Claid chooses.

        Only a folder of its own tells, when an answer is lost, which pictures were its.
        """
        if self.place.is_written_by_claid:
            return f"{self.place.folder}{self._own_name(edition)}/"
        return f"{self.landing}{LANDING_FOLDER}{self._own_name(edition)}/" if self.landing else None
