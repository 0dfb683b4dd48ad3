"""Videos (``POST /v1/video/generate``): one picture set in motion for 5 or 10 seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from airflow_claid.client.models.base import Address, RequestModel, checked, wrong
from airflow_claid.client.models.prompts import check_written, prompt_of

_Text = Annotated[str, prompt_of(3, 5000)]


def _video_file(value: str) -> str:
    if not value.endswith("/") and not value.lower().endswith(".mp4"):
        raise wrong("must be a folder that ends with '/', or a file that ends with '.mp4'")
    return value


def _duration(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value in (5, 10):
        return str(int(value))
    return value


Duration = Annotated[Literal["5", "10"], BeforeValidator(_duration)]
"""Seconds as Claid writes them, ``"5"`` or ``"10"``; a number will do."""


class VideoPrompt(RequestModel):
    """Either a ``text``, or a prompt that Claid writes itself where ``generate`` is true, after ``guidelines``."""

    text: _Text | None = None
    generate: bool | None = None
    guidelines: Annotated[str, prompt_of(3, 1000)] | None = None

    @model_validator(mode="after")
    def _text_or_generate(self) -> VideoPrompt:
        check_written(text=self.text, generate=self.generate, guidelines=self.guidelines)
        return self


class VideoOptions(RequestModel):
    """What moves, for how many seconds (Claid's default: 5), and how closely to follow the prompt."""

    prompt: _Text | VideoPrompt
    negative_prompt: _Text | None = None
    duration: Duration | None = None
    guidance_scale: Annotated[float, Field(ge=0, le=1)] | None = None

    @property
    def seconds(self) -> int:
        """How long the video will be."""
        return int(self.duration or 5)


class VideoRequest(RequestModel):
    """One paid request for one video; the picture's sides must have at least 300 pixels (docs.claid.ai)."""

    input: Address
    options: VideoOptions
    output: Annotated[Address, AfterValidator(_video_file)] | None = None

    @classmethod
    def of(
        cls,
        input: str,  # noqa: A002 - Claid's own name
        options: Mapping[str, Any] | VideoOptions,
        output: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> VideoRequest:
        """Check and build a request; see :meth:`ClaidClient.submit_video`.

        :param names: what the caller calls a field, by its dotted path here, for errors.
        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        return checked(cls, {"input": input, "options": options, "output": output}, names)

    @property
    def seconds(self) -> int:
        """How long the video will be."""
        return self.options.seconds
