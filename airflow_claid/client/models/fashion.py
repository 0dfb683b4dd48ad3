"""Fashion models (``POST /v1/image/ai-fashion-models``): garments shown on a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from airflow_claid.client.models.base import Address, RequestModel, checked, wrong
from airflow_claid.client.models.creation import CreatedOutput, count_of
from airflow_claid.client.models.prompts import prompt_of


def _garments(value: object) -> object:
    if isinstance(value, str):
        raise wrong("must be a list of 1 to 5 addresses: put the one into a list")
    if isinstance(value, Sequence) and not 1 <= len(value) <= 5:
        raise wrong(f"has {len(value)} garments; Claid takes 1 to 5")
    return tuple(value) if isinstance(value, list) else value


garments: BeforeValidator = BeforeValidator(_garments)
"""Checks that there are 1 to 5."""


class FashionInput(RequestModel):
    """1 to 5 garments, and the person to wear them; without one Claid makes a person."""

    clothing: Annotated[tuple[Address, ...], garments]
    model: Address | None = None


class FashionOptions(RequestModel):
    """Pose and background in words; Claid has defaults for both."""

    pose: Annotated[str, prompt_of(3, 5000)] | None = None
    background: Annotated[str, prompt_of(3, 5000)] | None = None
    aspect_ratio: Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "21:9", "4:5", "5:4"] | None = None


class FashionRequest(RequestModel):
    """One paid request for pictures of garments on a person."""

    input: FashionInput
    options: FashionOptions = Field(default_factory=FashionOptions)
    output: CreatedOutput | Address | None = None

    @classmethod
    def of(
        cls,
        input: Mapping[str, Any] | FashionInput,  # noqa: A002 - Claid's own name
        options: Mapping[str, Any] | FashionOptions | None = None,
        output: Mapping[str, Any] | CreatedOutput | str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> FashionRequest:
        """Check and build a request; see :meth:`ClaidClient.submit_fashion_model`.

        :param names: what the caller calls a field, by its dotted path here, for errors.
        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        return checked(cls, {"input": input, "options": {} if options is None else options, "output": output}, names)

    @property
    def number_of_images(self) -> int:
        """How many pictures are asked for, each of them charged."""
        return count_of(self.output)
