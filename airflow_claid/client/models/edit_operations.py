"""The edit operations and their limits, as the contract names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from airflow_claid.client.models.base import Integer, OpenModel, doubted, wrong

_PERCENTAGE = re.compile(r"[0-9]+(\.[0-9]+)?%")
_COLOR = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")

Strength = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[Integer, Field(ge=0, le=100)]
SignedPercent = Annotated[Integer, Field(ge=-100, le=100)]
Category = Literal["general", "cars", "products"]


class PhotoUpscale(OpenModel):
    """The photo upscaler in a version of its own."""

    type: Literal["photo"]
    version: Literal["1", "2", "3"]


class Restorations(OpenModel):
    """Repairs; ``upscale`` works only together with ``resizing``."""

    decompress: Literal["moderate", "strong", "auto"] | None = None
    upscale: Literal["smart_enhance", "smart_resize", "faces", "digital_art", "photo"] | PhotoUpscale | None = None
    polish: bool | None = None


class Hdr(OpenModel):
    """High dynamic range with its options."""

    intensity: Percent | None = None
    stitching: bool | None = None


class Adjustments(OpenModel):
    """Light and colour."""

    hdr: Percent | Hdr | None = None
    exposure: SignedPercent | None = None
    saturation: SignedPercent | None = None
    contrast: SignedPercent | None = None
    sharpness: Percent | None = None


class ObjectToKeep(OpenModel):
    """What stays when the background goes, in words."""

    object_to_keep: Annotated[str, Field(min_length=3, max_length=128)]


class RemoveBackground(OpenModel):
    """How the background is removed."""

    clipping: bool | None = None
    selective: ObjectToKeep | None = None
    category: Category | None = None


class BlurBackground(OpenModel):
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


class Background(OpenModel):
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


class CropFit(OpenModel):
    """Fill the size and cut what hangs over, around the centre or what matters in the picture."""

    type: Literal["crop"] | None = None
    crop: Literal["center", "smart"] | None = None


class PlainFit(OpenModel):
    """A fit without options."""

    type: Literal["cover", "bounds", "canvas"]


class OutpaintFit(OpenModel):
    """Fill the size by painting on."""

    type: Literal["outpaint"]
    feathering: Annotated[str, Field(pattern=r"^[1-9][0-9]+[%]$|^[0-9][%]$")] | None = None
    outpaint_by: str | None = None


FitName = Literal["crop", "cover", "bounds", "canvas", "outpaint"]


def _fit_of(value: Any) -> str:
    """Return which fit this is; with a blank in its name, it is no field's name, and so not taken for one in errors.

    One of Claid's pages writes a crop without its type.
    """
    if isinstance(value, str):
        return "named fit"
    is_crop = isinstance(value, CropFit) or (isinstance(value, Mapping) and "crop" in value)
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    kind = kind or ("crop" if is_crop else None)
    return f"{'plain' if kind in ('cover', 'bounds', 'canvas') else kind} fit"


Fit = Annotated[
    Annotated[FitName, Tag("named fit")]
    | Annotated[CropFit, Tag("crop fit")]
    | Annotated[PlainFit, Tag("plain fit")]
    | Annotated[OutpaintFit, Tag("outpaint fit")],
    Discriminator(
        _fit_of,
        custom_error_type="claid",
        custom_error_message="must be 'crop', 'cover', 'bounds', 'canvas', 'outpaint', or {'type': one of these, …}",
    ),
]


class Resizing(OpenModel):
    """A new size. Claid's own default ``fit`` is ``crop``, which cuts the picture.

    A side that is not given is not sent: under ``crop`` it stays as it is, under the other fits it follows from the
    other side, as with ``"auto"``. Both sides cannot be ``auto``, and a percentage goes with the same percentage or
    ``auto`` (docs.claid.ai); whether ``outpaint`` takes two different ones, Claid's pages disagree.
    """

    width: Side | None = None
    height: Side | None = None
    fit: Fit | None = None

    @property
    def crops(self) -> bool:
        """Whether it cuts what hangs over."""
        return self.fit in (None, "crop") or isinstance(self.fit, CropFit)

    @property
    def paints(self) -> bool:
        """Whether it paints on what is missing."""
        return self.fit == "outpaint" or isinstance(self.fit, OutpaintFit)

    @model_validator(mode="after")
    def _sides_go_together(self) -> Resizing:
        sides = (self.width or "auto", self.height or "auto")
        if sides == ("auto", "auto") and not isinstance(self.fit, OutpaintFit) and not self.model_extra:
            raise wrong("width and height cannot both be 'auto': give one of them, in pixels or percent")
        percentages = [side for side in sides if isinstance(side, str) and side.endswith("%")]
        if percentages and any(side not in ("auto", percentages[0]) for side in sides):
            if not self.paints:
                raise wrong(
                    f"a percentage goes with 'auto' or the same percentage on the other side: "
                    f"use width={percentages[0]!r}, height='auto'"
                )
            doubted(f"resizing to {sides[0]} x {sides[1]} by outpaint")
        if isinstance(self.fit, CropFit) and self.fit.type is None:
            doubted(f"resizing with fit={self.fit.to_json()!r}, which has no type")
        return self


class Privacy(OpenModel):
    """What is made unrecognisable."""

    blur_car_plate: bool | None = None
    identity_crop: bool | None = None


class StyleTransfer(OpenModel):
    """The style of another picture, and how strongly it is taken over."""

    style_reference_image: str
    prompt: Annotated[str, Field(min_length=3, max_length=1024)] | None = None
    depth_strength: Strength | None = None
    denoising_strength: Strength | None = None
    style_strength: Strength | None = None


class Generative(OpenModel):
    """Operations that paint."""

    style_transfer: StyleTransfer | None = None


class Operations(OpenModel):
    """What is done to a picture, in Claid's own order whatever the order here."""

    restorations: Restorations | None = None
    adjustments: Adjustments | None = None
    background: Background | None = None
    resizing: Resizing | None = None
    padding: str | None = None
    privacy: Privacy | None = None
    generative: Generative | None = None

    @classmethod
    def _problem_with(cls, name: str, value: object) -> str | None:
        """Say why an unknown operation cannot be sent: it may be a known one that belongs elsewhere."""
        homes = (Restorations, Adjustments, Background, Resizing, Privacy, Generative)
        home = next((model.__name__.lower() for model in homes if name in model.model_fields), None)
        if home is not None:
            return f"is not a parameter of Claid here: put it into {home}, {{{home!r}: {{{name!r}: …}}}}"
        return super()._problem_with(name, value)
