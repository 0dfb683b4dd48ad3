"""The edit operations and their limits, as the contract names them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from airflow_claid.client.models.base import Integer, RequestModel, wrong

_PERCENTAGE = re.compile(r"[0-9]+(\.[0-9]+)?%")
_COLOR = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")

Strength = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[Integer, Field(ge=0, le=100)]
SignedPercent = Annotated[Integer, Field(ge=-100, le=100)]
Category = Literal["general", "cars", "products"]


class PhotoUpscale(RequestModel):
    """The photo upscaler in a version of its own."""

    type: Literal["photo"]
    version: Literal["1", "2", "3"]


class Restorations(RequestModel):
    """Repairs; ``upscale`` works only together with ``resizing``."""

    decompress: Literal["moderate", "strong", "auto"] | None = None
    upscale: Literal["smart_enhance", "smart_resize", "faces", "digital_art", "photo"] | PhotoUpscale | None = None
    polish: bool | None = None


class Hdr(RequestModel):
    """High dynamic range with its options."""

    intensity: Percent | None = None
    stitching: bool | None = None


class Adjustments(RequestModel):
    """Light and colour."""

    hdr: Percent | Hdr | None = None
    exposure: SignedPercent | None = None
    saturation: SignedPercent | None = None
    contrast: SignedPercent | None = None
    sharpness: Percent | None = None


class ObjectToKeep(RequestModel):
    """What stays when the background goes, in words."""

    object_to_keep: Annotated[str, Field(min_length=3, max_length=128)]


class RemoveBackground(RequestModel):
    """How the background is removed."""

    clipping: bool | None = None
    selective: ObjectToKeep | None = None
    category: Category | None = None


class BlurBackground(RequestModel):
    """How the background is blurred."""

    selective: ObjectToKeep | None = None
    category: Category | None = None
    type: Literal["regular", "lens"] | None = None
    level: Literal["low", "medium", "high"] | None = None


def _color(value: object) -> object:
    if isinstance(value, str) and value != "transparent" and not _COLOR.fullmatch(value):
        raise wrong("must be a hexadecimal colour such as '#ffffff', or 'transparent'")
    return value


Color = Annotated[str, BeforeValidator(_color)]


class Background(RequestModel):
    """What happens to the background."""

    remove: bool | RemoveBackground | None = None
    color: Color | None = None
    blur: bool | BlurBackground | None = None


def _side(value: object) -> object:
    remedy = "must be pixels (800), a percentage ('200%') or 'auto'"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise wrong(remedy)
    if isinstance(value, str) and value != "auto" and not _PERCENTAGE.fullmatch(value):
        raise wrong(remedy)
    if isinstance(value, (int, float)) and value < 1:
        raise wrong("must be at least 1 pixel; " + remedy)
    return value


Side = Annotated[Integer | str, BeforeValidator(_side)]


class CropFit(RequestModel):
    """Fill the size and cut what hangs over, around the centre or what matters in the picture."""

    type: Literal["crop"]
    crop: Literal["center", "smart"] | None = None


class PlainFit(RequestModel):
    """A fit without options."""

    type: Literal["cover", "bounds", "canvas"]


class OutpaintFit(RequestModel):
    """Fill the size by painting on."""

    type: Literal["outpaint"]
    feathering: Annotated[str, Field(pattern=r"^[1-9][0-9]+[%]$|^[0-9][%]$")] | None = None
    outpaint_by: str | None = None


FitName = Literal["crop", "cover", "bounds", "canvas", "outpaint"]
FitWithOptions = Annotated[CropFit | PlainFit | OutpaintFit, Field(discriminator="type")]
Fit = FitName | FitWithOptions


class Resizing(RequestModel):
    """A new size. Claid's own default ``fit`` is ``crop``, which cuts the picture.

    Both sides cannot be ``auto``, and a percentage goes with the same percentage or ``auto`` (docs.claid.ai).
    """

    width: Side = "auto"
    height: Side = "auto"
    fit: Fit | None = None

    @model_validator(mode="after")
    def _sides_go_together(self) -> Resizing:
        sides = (self.width, self.height)
        if sides == ("auto", "auto") and not isinstance(self.fit, OutpaintFit):
            raise wrong("width and height cannot both be 'auto': give one of them, in pixels or percent")
        percentages = [side for side in sides if isinstance(side, str) and side.endswith("%")]
        if percentages and any(side not in ("auto", percentages[0]) for side in sides):
            raise wrong(
                f"a percentage goes with 'auto' or the same percentage on the other side: "
                f"use width={percentages[0]!r}, height='auto'"
            )
        return self


class Privacy(RequestModel):
    """What is made unrecognisable."""

    blur_car_plate: bool | None = None
    identity_crop: bool | None = None


class StyleTransfer(RequestModel):
    """The style of another picture, and how strongly it is taken over."""

    style_reference_image: str
    prompt: Annotated[str, Field(min_length=3, max_length=1024)] | None = None
    depth_strength: Strength | None = None
    denoising_strength: Strength | None = None
    style_strength: Strength | None = None


class Generative(RequestModel):
    """Operations that paint."""

    style_transfer: StyleTransfer | None = None


class Operations(RequestModel):
    """What is done to a picture, in Claid's own order whatever the order here."""

    restorations: Restorations | None = None
    adjustments: Adjustments | None = None
    background: Background | None = None
    resizing: Resizing | None = None
    padding: str | None = None
    privacy: Privacy | None = None
    generative: Generative | None = None
