"""The ``operations`` of an edit: everything that it can do to a picture."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from airflow_claid.sandbox.bodies.base import Body, Deviation, Omittable, Percentage, Share, Side

ObjectToKeep = Annotated[str, StringConstraints(min_length=3, max_length=128)]
Category = Literal["general", "cars", "products"]


class Upscale(Body):
    """An upscaler of a certain version."""

    type: Literal["photo"]
    version: Literal["1", "2", "3"]


class Restorations(Body):
    """Repairs: compression artefacts, upscaling, polishing."""

    decompress: Omittable[Literal["moderate", "strong", "auto"]] = None
    upscale: Omittable[Literal["smart_enhance", "smart_resize", "faces", "digital_art", "photo"] | Upscale] = None
    polish: bool = False


class Hdr(Body):
    """HDR with options."""

    intensity: Percentage = 100
    stitching: bool = False


class Adjustments(Body):
    """Light and colour, each 0 by default."""

    hdr: Percentage | Hdr = 0
    exposure: Deviation = 0
    saturation: Deviation = 0
    contrast: Deviation = 0
    sharpness: Percentage = 0


class Selective(Body):
    """The object to keep when the background is removed or blurred."""

    object_to_keep: ObjectToKeep


class RemoveBackground(Body):
    """Background removal with options."""

    clipping: bool = False
    selective: Omittable[Selective] = None
    category: Omittable[Category] = None


class BlurBackground(Body):
    """Background blur with options."""

    selective: Omittable[Selective] = None
    category: Omittable[Category] = None
    type: Literal["regular", "lens"] = "regular"
    level: Literal["low", "medium", "high"] = "medium"


class Background(Body):
    """What to do with the background."""

    remove: bool | RemoveBackground = False
    color: Omittable[str] = None
    blur: bool | BlurBackground = False


class CropFit(Body):
    """Fill the frame and cut off the rest."""

    type: Literal["crop"]
    crop: Literal["center", "smart"] = "center"


class PlainFit(Body):
    """Cover the frame, stay within it, or place the picture on a canvas."""

    type: Literal["cover", "bounds", "canvas"]


class OutpaintFit(Body):
    """Place the picture on a canvas and paint the rest."""

    type: Literal["outpaint"]
    feathering: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]+[%]|[0-9][%])$")] = "15%"
    outpaint_by: Omittable[str] = None


class Resizing(Body):
    """The output's size: each side in pixels, in percent of the input's, or ``auto`` (default)."""

    width: Side = "auto"
    height: Side = "auto"
    fit: Literal["crop", "cover", "bounds", "canvas", "outpaint"] | CropFit | PlainFit | OutpaintFit = "crop"


class Privacy(Body):
    """What to make unrecognisable."""

    blur_car_plate: bool = False
    identity_crop: bool = False


class StyleTransfer(Body):
    """Apply the style of another picture."""

    style_reference_image: str
    prompt: Omittable[Annotated[str, StringConstraints(min_length=3, max_length=1024)]] = None
    depth_strength: Share = 1
    denoising_strength: Share = 0.75
    style_strength: Share = 0.75


class Generative(Body):
    """Generative editing."""

    style_transfer: Omittable[StyleTransfer] = None


class Operations(Body):
    """All operations on a picture, applied in the order of the fields."""

    restorations: Omittable[Restorations] = None
    adjustments: Omittable[Adjustments] = None
    background: Omittable[Background] = None
    resizing: Omittable[Resizing] = None
    padding: Omittable[str] = None
    privacy: Omittable[Privacy] = None
    generative: Omittable[Generative] = None
