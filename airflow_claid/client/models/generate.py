"""Generation: images from a text prompt (``POST /v1/image/generate``)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from airflow_claid.client.models.base import Address, AnswerModel, Integer, RequestModel, check_known, checked, wrong
from airflow_claid.client.models.images import OutputImage
from airflow_claid.client.models.prompts import prompt_of

_NAMES = {
    "input": "prompt",
    "options.number_of_images": "number_of_images",
    "options.guidance_scale": "guidance_scale",
}
MAX_IMAGES = 4
GENERATED_SIDE = 1024
"""Width and height of a generated image, in pixels."""


def _number_of_images(value: object) -> object:
    if isinstance(value, (int, float)) and not 1 <= value <= MAX_IMAGES:
        raise wrong(f"must be 1 to {MAX_IMAGES}: one request makes no more; for more pictures send more requests")
    return value


def _guidance_scale(value: object) -> object:
    if isinstance(value, (int, float)) and not 1 <= value < 50:
        raise wrong("must be at least 1 and below 50; Claid's default is 5")
    return value


def _folder(value: str) -> str:
    last = value.rsplit("/", 1)[-1]
    if value.endswith("/") and value != "storage://":
        return value
    if "." in last and "://" in value[: -len(last)]:
        folder = value[: -len(last)]
        raise wrong(f"names a file, but Claid chooses the file names of generated images: use the folder {folder!r}")
    raise wrong(f"must be a folder that ends with '/': use {value + '/'!r}")


class GenerateOptions(RequestModel):
    """How to generate: 1 to 4 images; guidance 1 to below 50 (how closely to follow the prompt)."""

    number_of_images: Annotated[Integer, BeforeValidator(_number_of_images)] = 1
    guidance_scale: Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_guidance_scale)] = 5.0


class GenerateRequest(RequestModel):
    """One paid request for images of one prompt."""

    input: Annotated[str, prompt_of(3, 1024)]
    options: GenerateOptions = GenerateOptions()
    output: Annotated[Address, AfterValidator(_folder)] | None = None

    @classmethod
    def of(
        cls,
        prompt: str,
        *,
        number_of_images: int = 1,
        guidance_scale: float = 5.0,
        output: str | None = None,
    ) -> GenerateRequest:
        """Check and build a request; see :meth:`ClaidClient.generate_image` for the parameters.

        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        options = {"number_of_images": number_of_images, "guidance_scale": guidance_scale}
        return checked(cls, {"input": prompt, "options": options, "output": output}, _NAMES)

    @classmethod
    def check_known(cls, prompt: object, number_of_images: object, guidance_scale: object) -> None:
        """Check what is known of a request; the rest is ``UNKNOWN``.

        :raises ClaidValidationError: as :meth:`of`.
        """
        options = {"number_of_images": number_of_images, "guidance_scale": guidance_scale}
        check_known(cls, {"input": prompt, "options": options}, _NAMES)

    def written_to(self, output: str | None) -> GenerateRequest:
        """Return the same request with another output."""
        return checked(GenerateRequest, {**dict(self), "output": output}, _NAMES)

    @property
    def number_of_images(self) -> int:
        """How many images are asked for, each of them charged."""
        return self.options.number_of_images


class _GenerateInput(AnswerModel):
    text: str = ""


class GenerateResult(AnswerModel):
    """What generation answered; ``request_id`` is the answer's ``x-request-id``, or ``None``."""

    input: _GenerateInput = _GenerateInput()
    output: tuple[OutputImage, ...]
    request_id: str | None = None
