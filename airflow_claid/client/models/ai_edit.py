"""AI edits (``POST /v1/image/ai-edit``): a picture changed as a prompt says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from airflow_claid.client.models.base import UNKNOWN, Address, IfKnown, Integer, RequestModel, checked, doubted, wrong
from airflow_claid.client.models.creation import CreatedOutput, count_of
from airflow_claid.client.models.prompts import prompt_of

_AspectRatio = Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "9:21", "21:9"]
_DOUBTFUL_WITH_V2 = ("inference_steps", "guidance_scale")


class AIEditOptions(RequestModel):
    """What to change, and how; Claid's default model is v2."""

    prompt: Annotated[str, prompt_of(3, 5000)]
    model: Annotated[Literal["v1", "v2"] | None, IfKnown] = None
    aspect_ratio: Annotated[_AspectRatio | None, IfKnown] = None
    inference_steps: Annotated[Annotated[Integer, Field(ge=1, le=50)] | None, IfKnown] = None
    guidance_scale: Annotated[Annotated[float, Field(ge=1, le=10)] | None, IfKnown] = None

    @model_validator(mode="after")
    def _goes_with_the_model(self) -> AIEditOptions:
        if self.model in ("v1", UNKNOWN):
            return self
        given = {name for name in type(self).model_fields if getattr(self, name) not in (None, UNKNOWN)}
        if "aspect_ratio" in given:
            raise wrong("aspect_ratio works with model v1 only: add model='v1', or leave it out")
        doubtful = [name for name in _DOUBTFUL_WITH_V2 if name in given]
        if doubtful:
            doubted(f"{' and '.join(doubtful)} with model v2")
        return self


class AIEditRequest(RequestModel):
    """One paid request to change one picture by a prompt."""

    input: Address
    options: AIEditOptions
    output: CreatedOutput | Address | None = None

    @classmethod
    def of(
        cls,
        input: str,  # noqa: A002 - Claid's own name
        options: Mapping[str, Any] | AIEditOptions,
        output: Mapping[str, Any] | CreatedOutput | str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> AIEditRequest:
        """Check and build a request; see :meth:`ClaidClient.submit_ai_edit`.

        :param names: what the caller calls a field, by its dotted path here, for errors.
        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        return checked(cls, {"input": input, "options": options, "output": output}, names)

    @property
    def number_of_images(self) -> int:
        """How many pictures are asked for, each of them charged."""
        return count_of(self.output)
