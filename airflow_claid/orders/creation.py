"""Orders of new pictures made from given ones: AI edits, fashion models, scenes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_claid.client.models.creation import CreatedOutput
from airflow_claid.client.models.edit import format_name
from airflow_claid.client.models.scene import SceneOutput
from airflow_claid.orders.order import Order
from airflow_claid.orders.source import Source
from airflow_claid.storage.places import PICTURE_SUFFIXES

_DEFAULT_FORMAT = "png"
"""Claid's own, at present."""

_Output = TypeVar("_Output", CreatedOutput, SceneOutput)


@dataclass(frozen=True, kw_only=True)
class CreationOrder(Order):
    """New pictures made from given ones.

    :param source: the picture that it starts from; of several, the first.
    :param output: number of images and format.
    """

    source: Source
    output: CreatedOutput | SceneOutput

    filtered = True

    @property
    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """What is asked, without its output."""

    @property
    def body(self) -> dict[str, Any]:
        """What is asked of which content of which addresses."""
        return {**self.asked, "output": self.output.to_json()}

    @property
    def subject(self) -> str:
        """The input's address, as it may be shown."""
        return self.source.shown

    @property
    def input(self) -> str:
        """The input's address."""
        return self.subject

    @property
    def version(self) -> str | None:
        """Which content the input has."""
        return self.source.version

    @property
    def number_of_images(self) -> int:
        """How many pictures are asked for; Claid's default is 1 where an output need not say."""
        return self.output.number_of_images or 1

    @property
    def label(self) -> str:
        """The user's name, or the input's with the start of the fingerprint: so two requests share no file."""
        return self.name or f"{self.source.stem}-{super().label}"

    def file_name(self, position: int) -> str:
        """Number the pictures: ``NAME_1.png``, ``NAME_2.png``."""
        return f"{self.label}_{position}{PICTURE_SUFFIXES[format_name(self.output.format, _DEFAULT_FORMAT)]}"

    def destination(self, edition: int) -> str | None:
        """Return a sub-folder of the request's own: Claid chooses the file names."""
        return self._own_folder(edition)


def with_format(output: _Output) -> _Output:
    """Return an output that names its format: Claid's default has changed before, and files are named after it."""
    return output if output.format else output.model_copy(update={"format": _DEFAULT_FORMAT})
