"""Bodies of the operations that make new pictures: generate, AI edit, fashion model, scene, video."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from airflow_claid.sandbox.bodies.base import Address, Body, Integer, Omittable, OpenBody, Share, UpToFour
from airflow_claid.sandbox.bodies.edit import CompressedFormat, JpegFormat, PngFormat

LongText = Annotated[str, StringConstraints(min_length=3, max_length=5000)]
SceneText = Annotated[str, StringConstraints(min_length=3, max_length=2048)]
Guidelines = Annotated[str, StringConstraints(min_length=3, max_length=1000)]
SceneModel = Literal["v1", "v2-beta", "v2"]
SceneRatio = Literal["21:9", "1:1", "4:3", "3:2", "2:3", "5:4", "4:5", "3:4", "16:9", "9:16"]
Steps = Annotated[Integer, Field(ge=1, lt=50)]


class GenerateOptions(Body):
    """How many pictures (1 to 4, **default 4**) and how close to the prompt (1 to under 50, default 5)."""

    number_of_images: UpToFour = 4
    guidance_scale: Annotated[float, Field(ge=1, lt=50)] = 5


class GenerateRequest(Body):
    """Body of ``POST /v1/image/generate``."""

    input: Annotated[str, StringConstraints(min_length=3, max_length=1024)]
    options: GenerateOptions = GenerateOptions()
    output: Omittable[Address] = None


class CreatedOutput(Body):
    """Where AI edits and fashion pictures go: 1 to 4 of them (default 1), ``png`` (default) or ``jpeg``."""

    number_of_images: UpToFour = 1
    destination: Omittable[Address] = None
    format: Literal["jpeg", "png"] = "png"


class AIEditOptions(Body):
    """How an AI edit is made."""

    prompt: LongText
    model: Literal["v1", "v2"] = "v2"
    aspect_ratio: Omittable[Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "9:21", "21:9"]] = None
    inference_steps: Omittable[Annotated[Integer, Field(ge=1, le=50)]] = None
    guidance_scale: Omittable[Annotated[float, Field(ge=1, le=10)]] = None


class AIEditRequest(Body):
    """Body of ``POST /v1/image/ai-edit``."""

    input: Address
    options: AIEditOptions
    output: Omittable[CreatedOutput | Address] = None


class FashionInput(Body):
    """One to five garments, and the model who wears them."""

    clothing: Annotated[list[Address], Field(min_length=1, max_length=5)]
    model: Omittable[Address] = None


class FashionOptions(Body):
    """How the model stands, and where."""

    pose: LongText = "full body, front view, neutral stance, arms relaxed"
    background: LongText = "minimalistic studio background"
    aspect_ratio: Omittable[Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "21:9", "4:5", "5:4"]] = None


class FashionRequest(Body):
    """Body of ``POST /v1/image/ai-fashion-models``."""

    input: FashionInput
    options: FashionOptions
    output: Omittable[CreatedOutput | Address] = None


class SceneOutput(Body):
    """Where scenes go: 1 to 4 of them (**default 4**)."""

    number_of_images: UpToFour = 4
    destination: Omittable[Address] = None
    format: Omittable[Literal["jpeg", "png", "webp", "avif", "tiff"] | JpegFormat | PngFormat | CompressedFormat] = None


class Position(Body):
    """Where the product's middle is, in shares of the picture."""

    x: Share = 0.5
    y: Share = 0.5


class AbsolutePlacement(Body):
    """A product placed by position, scale and rotation."""

    image_url: Address
    placement_type: Literal["absolute"] = "absolute"
    rotation_degree: Annotated[float, Field(ge=0, le=360)] = 0
    scale: Share = 1
    position: Position = Position()


class OriginalPlacement(Body):
    """A product left where it is in its picture."""

    image_url: Address
    placement_type: Literal["original"]


class PaddedPlacement(Body):
    """A product with room around it."""

    image_url: Address
    placement_type: Literal["padding"]
    padding: str


class ScenePrompt(Body):
    """A prompt in detail; ``generate`` lets Claid write it, at half a credit."""

    text: Omittable[SceneText] = None
    generate: bool = False
    guidelines: Omittable[Guidelines] = None


class EffectScene(Body):
    """Only a shadow and a colour."""

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
    """A scene after a template picture."""

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


class VideoPrompt(OpenBody):
    """A video's prompt in detail; ``generate`` lets Claid write it."""

    text: Omittable[LongText] = None
    generate: bool = False
    guidelines: Omittable[Guidelines] = None


class VideoOptions(Body):
    """What moves, and for how many seconds: ``"5"`` (default, 35 credits) or ``"10"`` (70)."""

    prompt: LongText | VideoPrompt
    negative_prompt: Omittable[LongText] = None
    duration: Literal["5", "10"] = "5"
    guidance_scale: Share = 0.5


class VideoRequest(Body):
    """Body of ``POST /v1/video/generate``."""

    input: Address
    options: VideoOptions
    output: Omittable[Address] = None
