"""What an answer says of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from airflow_claid.client.models.base import AnswerModel


def _number(value: object) -> object:
    """Return a number that was written as a text or with a fraction of zero."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(value: object) -> object:
    """Return the name of a format, which may be an object with options."""
    return value.get("type", value.get("name")) if isinstance(value, Mapping) else value


Pixels = Annotated[int, BeforeValidator(_number)]


class InputImage(AnswerModel):
    """The picture that an edit was given; for a video also the prompt that Claid wrote itself."""

    ext: str | None = None
    mps: float | None = None
    mime: str | None = None
    format: Annotated[str | None, BeforeValidator(_name)] = None
    width: Pixels | None = None
    height: Pixels | None = None
    generated_prompt: str | None = None


class OutputImage(InputImage):
    """A picture that Claid made.

    Without a destination ``tmp_url`` holds a public link that lives 24 hours; with one, the other four say
    where Claid wrote it (docs.claid.ai). The form of ``object_uri`` is not documented: take it as it is.
    """

    tmp_url: str | None = None
    object_key: str | None = None
    object_bucket: str | None = None
    object_uri: str | None = None
    claid_storage_uri: str | None = None
