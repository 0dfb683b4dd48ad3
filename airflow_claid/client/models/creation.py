"""What AI edits, fashion models and scenes have in common: how many pictures, in which format, and where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_claid.client.models.base import Integer, OutputModel

ImageCount = Annotated[Integer, Field(ge=1, le=4)]


class CreatedOutput(OutputModel):
    """1 to 4 pictures, PNG unless ``format`` says JPEG; a destination of several must be a folder."""

    number_of_images: ImageCount | None = None
    format: Literal["jpeg", "png"] | None = None


def count_of(output: object) -> int:
    """How many pictures an output asks for; Claid's default for AI edits and fashion models is 1."""
    return (output.number_of_images or 1) if isinstance(output, CreatedOutput) else 1
