"""Scenes (``POST /v1/scene/create``): a product in a scene that is drawn, taken from a template, or only a shadow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from airflow_claid.client.models.base import (
    Address,
    AnswerModel,
    Integer,
    OutputModel,
    RequestModel,
    checked,
    doubted,
    wrong,
)
from airflow_claid.client.models.creation import ImageCount
from airflow_claid.client.models.edit import CompressedFormat, JpegFormat, PngFormat
from airflow_claid.client.models.edit_operations import Color
from airflow_claid.client.models.images import InputImage, OutputImage
from airflow_claid.client.models.prompts import check_written, prompt_of

Share = Annotated[float, Field(ge=0, le=1)]
SceneModel = Literal["v1", "v2-beta", "v2"]
_RATIOS = ("21:9", "1:1", "4:3", "3:2", "2:3", "5:4", "4:5", "3:4", "16:9", "9:16")
_Steps = Annotated[Integer, Field(ge=1, lt=50)]
_SceneText = Annotated[str, prompt_of(3, 2048)]


def _aspect_ratio(value: str) -> str:
    if value not in _RATIOS:
        if not re.fullmatch(r"[1-9][0-9]?:[1-9][0-9]?", value):
            raise wrong(f"must be a ratio of width to height, such as {', '.join(_RATIOS)}")
        doubted(f"aspect_ratio={value!r}")
    return value


SceneAspectRatio = Annotated[str, AfterValidator(_aspect_ratio)]
"""One of those that the contract names; another page of Claid's names others (``"7:4"``)."""


class WebpOrAvifFormat(CompressedFormat):
    """WEBP or AVIF with its compression."""

    type: Literal["webp", "avif"]


class SceneOutput(OutputModel):
    """1 to 4 pictures (Claid's own default is 4, ours is 1), PNG unless ``format`` says otherwise."""

    number_of_images: ImageCount = 1
    format: (
        Literal["jpeg", "png", "webp", "avif", "tiff"]
        | Annotated[JpegFormat | PngFormat | WebpOrAvifFormat, Field(discriminator="type")]
        | None
    ) = None


class Position(RequestModel):
    """Where the product's centre is, as shares of width and height."""

    x: Share | None = None
    y: Share | None = None


class Absolute(RequestModel):
    """The product at a position, in a size (share of the picture), turned by degrees."""

    placement_type: Literal["absolute"] | None = None
    rotation_degree: Annotated[float, Field(ge=0, le=360)] | None = None
    scale: Share | None = None
    position: Position | None = None


class Original(RequestModel):
    """The product where it is in its own picture."""

    placement_type: Literal["original"]


class Padding(RequestModel):
    """The product with room around it, such as ``"10%"``."""

    placement_type: Literal["padding"]
    padding: str


class AbsoluteProduct(Absolute):
    """A picture whose product is placed by a position."""

    image_url: Address


class OriginalProduct(Original):
    """A picture whose product stays where it is."""

    image_url: Address


class PaddingProduct(Padding):
    """A picture whose product gets room around it."""

    image_url: Address


def _placement(value: Any) -> str:
    """Return the kind; with a blank in its name, it is no field's name, and so not taken for one in errors."""
    kind = value.get("placement_type") if isinstance(value, Mapping) else getattr(value, "placement_type", None)
    return f"{kind if kind in ('original', 'padding') else 'absolute'} placement"


Placement = Annotated[
    Annotated[Absolute, Tag("absolute placement")]
    | Annotated[Original, Tag("original placement")]
    | Annotated[Padding, Tag("padding placement")],
    Discriminator(_placement),
]
"""Where the product is, whichever picture shows it."""

Product = Annotated[
    Annotated[AbsoluteProduct, Tag("absolute placement")]
    | Annotated[OriginalProduct, Tag("original placement")]
    | Annotated[PaddingProduct, Tag("padding placement")],
    Discriminator(_placement),
]


class WrittenPrompt(RequestModel):
    """Either a ``text``, or a prompt that Claid writes itself, after ``guidelines``: half a credit more a request."""

    text: _SceneText | None = None
    generate: bool | None = None
    guidelines: Annotated[str, prompt_of(3, 1000)] | None = None

    @model_validator(mode="after")
    def _text_or_generate(self) -> WrittenPrompt:
        check_written(text=self.text, generate=self.generate, guidelines=self.guidelines)
        return self


class EffectScene(RequestModel):
    """No scene, only the product's shadow on a colour."""

    effect: Literal["shadows"]
    model: SceneModel | None = None
    color: Color | None = None
    view: Literal["auto", "top", "front"] | None = None
    aspect_ratio: SceneAspectRatio | None = None


class PromptScene(RequestModel):
    """A scene drawn from a prompt."""

    prompt: _SceneText | WrittenPrompt
    model: SceneModel | None = None
    negative_prompt: _SceneText | None = None
    steps: _Steps | None = None
    color: str | None = None
    aspect_ratio: SceneAspectRatio | None = None
    preference: Literal["fast", "optimal", "best"] | None = None


class AfterTemplate(RequestModel):
    """A scene after a template picture, whichever that is."""

    view: Literal["top", "front"]
    model: SceneModel | None = None
    template_mode: Literal["transform", "lock", "adjust"] | None = None
    color: str | None = None
    prompt: _SceneText | WrittenPrompt | None = None
    negative_prompt: _SceneText | None = None
    steps: _Steps | None = None


class TemplateScene(AfterTemplate):
    """A scene after a template picture."""

    template_url: Address


def _scene(value: Any) -> str:
    """Return the kind; its name is no field's, as above."""
    has = value.__contains__ if isinstance(value, Mapping) else lambda name: hasattr(value, name)
    return f"{'effect' if has('effect') else 'template' if has('template_url') else 'prompt'} scene"


Scene = Annotated[
    Annotated[EffectScene, Tag("effect scene")]
    | Annotated[PromptScene, Tag("prompt scene")]
    | Annotated[TemplateScene, Tag("template scene")],
    Discriminator(_scene),
]


def prompt_in(scene: RequestModel) -> str | WrittenPrompt | None:
    """Return the prompt of a scene; an effect has none."""
    prompt: str | WrittenPrompt | None = getattr(scene, "prompt", None)
    return prompt


def is_written(prompt: str | WrittenPrompt | None) -> bool:
    """Whether Claid writes the prompt, which costs half a credit more."""
    return isinstance(prompt, WrittenPrompt) and bool(prompt.generate)


class SceneRequest(RequestModel):
    """One paid request for pictures of one product in a scene.

    The output is always sent with a number of images, because Claid makes 4 where there is none.
    """

    object: Product
    scene: Scene
    output: SceneOutput = Field(default_factory=SceneOutput)

    @classmethod
    def of(
        cls,
        object: Mapping[str, Any],  # noqa: A002 - Claid's own name
        scene: Mapping[str, Any],
        output: Mapping[str, Any] | SceneOutput | str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> SceneRequest:
        """Check and build a request; see :meth:`ClaidClient.create_scene`.

        :param output: ``{"number_of_images": …, "destination": …, "format": …}``, or just the destination.
        :param names: what the caller calls a field, by its dotted path here, for errors.
        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        whole = {"destination": output} if isinstance(output, str) else {} if output is None else output
        return checked(cls, {"object": object, "scene": scene, "output": whole}, names)

    @property
    def number_of_images(self) -> int:
        """How many pictures are asked for, each of them charged."""
        return self.output.number_of_images

    @property
    def prompt_is_written(self) -> bool:
        """Whether Claid is asked to write the prompt, which costs half a credit more."""
        return is_written(prompt_in(self.scene))


class SceneResult(AnswerModel):
    """What a scene request answered; ``request_id`` is the answer's ``x-request-id``, or ``None``."""

    input: InputImage = InputImage()
    output: tuple[OutputImage, ...]
    request_id: str | None = None
