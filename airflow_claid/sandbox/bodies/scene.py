"""Body of ``scene/create``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from airflow_claid.sandbox.bodies.base import Address, Body, Integer, Omittable, Share, UpToFour
from airflow_claid.sandbox.bodies.creation import Guidelines
from airflow_claid.sandbox.bodies.edit import CompressedFormat, JpegFormat, PngFormat

SceneText = Annotated[str, StringConstraints(min_length=3, max_length=2048)]
SceneModel = Literal["v1", "v2-beta", "v2"]
SceneRatio = Literal["21:9", "1:1", "4:3", "3:2", "2:3", "5:4", "4:5", "3:4", "16:9", "9:16"]
Steps = Annotated[Integer, Field(ge=1, lt=50)]


class SceneOutput(Body):
    """Number of scenes (1 to 4, **default 4**), format and destination."""

    number_of_images: UpToFour = 4
    destination: Omittable[Address] = None
    format: Omittable[Literal["jpeg", "png", "webp", "avif", "tiff"] | JpegFormat | PngFormat | CompressedFormat] = None


class Position(Body):
    """The centre of the product, from 0 to 1 of the picture's width and height."""

    x: Share = 0.5
    y: Share = 0.5


class AbsolutePlacement(Body):
    """Place the product by position, scale and rotation."""

    image_url: Address
    placement_type: Literal["absolute"] = "absolute"
    rotation_degree: Annotated[float, Field(ge=0, le=360)] = 0
    scale: Share = 1
    position: Position = Position()


class OriginalPlacement(Body):
    """Leave the product where it is in its picture."""

    image_url: Address
    placement_type: Literal["original"]


class PaddedPlacement(Body):
    """Leave room around the product."""

    image_url: Address
    placement_type: Literal["padding"]
    padding: str


class ScenePrompt(Body):
    """A prompt with options; ``generate`` has Claid write it, for half a credit."""

    text: Omittable[SceneText] = None
    generate: bool = False
    guidelines: Omittable[Guidelines] = None


class EffectScene(Body):
    """A scene of only a shadow and a colour."""

    effect: Literal["shadows"]
    model: SceneModel = "v1"
    color: Omittable[str] = None
    view: Literal["auto", "top", "front"] = "auto"
    aspect_ratio: SceneRatio = "1:1"


class PromptScene(Body):
    """A scene from a prompt."""

    prompt: SceneText | ScenePrompt
    model: SceneModel = "v1"
    negative_prompt: Omittable[SceneText] = None
    steps: Omittable[Steps] = None
    color: Omittable[str] = None
    aspect_ratio: SceneRatio = "1:1"
    preference: Literal["fast", "optimal", "best"] = "optimal"


class TemplateScene(Body):
    """A scene modelled on a template picture."""

    template_url: Address
    view: Literal["top", "front"]
    model: SceneModel = "v1"
    template_mode: Literal["transform", "lock", "adjust"] = "transform"
    color: Omittable[str] = None
    prompt: Omittable[SceneText | ScenePrompt] = None
    negative_prompt: Omittable[SceneText] = None
    steps: Omittable[Steps] = None


class SceneRequest(Body):
    """Body of ``POST /v1/scene/create``."""

    object: AbsolutePlacement | OriginalPlacement | PaddedPlacement
    scene: EffectScene | PromptScene | TemplateScene
    output: Omittable[SceneOutput | Address] = None
