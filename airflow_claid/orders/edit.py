"""Orders of edits: one picture each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.client import Call, EditRequest, JobKind, UploadRequest, prices
from airflow_claid.client.calls import edit, submission, upload
from airflow_claid.client.models.edit import ImageOutput, format_name
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.orders.order import LANDING_FOLDER, Order
from airflow_claid.orders.source import Source
from airflow_claid.storage.addresses import is_link, without_connection
from airflow_claid.storage.places import PICTURE_SUFFIXES
from airflow_claid.storage.signed_links import unsigned

_DEFAULT_FORMAT = "jpeg"
"""Claid's own."""


@dataclass(frozen=True, kw_only=True)
class EditOrder(Order):
    """One picture edited.

    :param source: the picture to edit.
    :param operations: what is done to it.
    :param output: format and metadata.
    :param at_once: whether Claid is to answer with the picture, not with a job. It is the same request all the same:
        whatever one way paid for, the other takes over.
    """

    source: Source
    operations: Operations
    output: ImageOutput
    at_once: bool = False

    operation = "edit_image"
    job_kind = JobKind.EDIT
    filtered = False
    number_of_images = 1
    credits = prices.EDITED_IMAGE

    @property
    def body(self) -> dict[str, Any]:
        """What is done to which content of which address."""
        return {
            "input": without_connection(self.source.unsigned_path),
            "version": self.source.version,
            "operations": facts_of(self.operations, self.source.ignored),
            "output": self.output.to_json(),
        }

    @property
    def subject(self) -> str:
        """The input's address, as it may be shown."""
        return self.source.shown

    @property
    def input(self) -> str:
        """The input's address."""
        return self.subject

    @property
    def answer_form(self) -> str:
        """Pictures or a job."""
        return f"{self.operation} at once" if self.at_once else self.operation

    @property
    def version(self) -> str | None:
        """Which content the input has."""
        return self.source.version

    @property
    def suffix(self) -> str:
        """The suffix of the file that is written."""
        return PICTURE_SUFFIXES[format_name(self.output.format, _DEFAULT_FORMAT)]

    def file_name(self, position: int) -> str:
        """The file that ``output`` names, or the input's name with the format's suffix."""
        return self.place.file or f"{self.label}{self.suffix}"

    def destination(self, edition: int) -> str | None:
        """Return the exact file, so that a lost answer can be looked up."""
        if self.place.is_written_by_claid:
            return self.place.folder + self.file_name(1)
        return f"{self.landing}{LANDING_FOLDER}{self._own_name(edition)}{self.suffix}" if self.landing else None

    def prepared(self, edition: int) -> Call:
        """Return the call that edits at once or submits a job, or sends the picture where Claid cannot reach it."""
        output = whole_output(self.output, self.destination(edition))
        address = self.source.reached_unless_long()
        if address is not None:
            request = EditRequest.of(address, self.operations, output)
            return edit(request) if self.at_once else submission(self.job_kind, request.to_json())
        return upload(self.source.content(), self.source.file_name, UploadRequest.of(self.operations, output))


def facts_of(operations: Operations, ignored: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what is done, as a fingerprint has it: the picture of a style without its signature.

    A side that is not given is written as ``"auto"`` where it means the same, which is under every fit but ``crop``.

    :param ignored: names of parts of a link's query that do not say which picture is meant.
    """
    facts = operations.to_json()
    style = operations.generative.style_transfer if operations.generative else None
    if style is not None and is_link(style.style_reference_image):
        picture = unsigned(style.style_reference_image, ignored)
        transfer = {**facts["generative"]["style_transfer"], "style_reference_image": picture}
        facts["generative"] = {**facts["generative"], "style_transfer": transfer}
    if operations.resizing is not None and not operations.resizing.crops:
        facts["resizing"] = {"width": "auto", "height": "auto", **facts["resizing"]}
    return facts


def whole_output(output: ImageOutput, destination: str | None) -> ImageOutput | None:
    """Return an output with its destination; ``None`` where it would be empty."""
    whole = output.written_to(destination)
    return None if whole == ImageOutput() else whole
