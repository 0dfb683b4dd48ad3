"""Sizes and fits: what ``operations.resizing`` does to a picture's frame."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageColor, ImageFilter, ImageOps

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.edit_operations import OutpaintFit, Resizing

Fit = Literal["crop", "cover", "bounds", "canvas", "outpaint"]
Size = tuple[int, int]
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True)
class Frame:
    """The size asked for; None is a side left to Claid."""

    fit: Fit
    width: int | None
    height: int | None
    outpaint_by: tuple[int, int] | None = None


def check(resizing: Resizing) -> None:
    """Refuse sizes that make no sense whatever the input is."""
    plan(resizing, (1000, 1000))


def plan(resizing: Resizing, size: Size) -> Frame:
    """Turn percentages into pixels of an input of ``size``."""
    fit: Fit = resizing.fit if isinstance(resizing.fit, str) else resizing.fit.type
    extra = _outpaint_by(resizing.fit, size)
    sides = {"width": resizing.width, "height": resizing.height}
    if all(side == "auto" for side in sides.values()) and extra is None:
        raise errors.invalid_field("operations.resizing", "width and height cannot both be auto")
    percents = {name: _percent(name, side) for name, side in sides.items()}
    given = {share for share in percents.values() if share is not None}
    if given and (len(given) > 1 or any(isinstance(side, int) for side in sides.values())):
        raise errors.invalid_field(
            "operations.resizing", "a percentage goes with the same percentage, or auto, on the other side"
        )
    pixels: list[int | None] = []
    for (name, side), before in zip(sides.items(), size, strict=True):
        share = percents[name]
        if share is not None:
            pixels.append(max(1, round(before * share / 100)))
        elif isinstance(side, int):
            if side < 1:
                raise errors.invalid_field(f"operations.resizing.{name}", "must be at least 1 pixel")
            pixels.append(side)
        else:
            pixels.append(None)
    return Frame(fit, pixels[0], pixels[1], extra)


def result_size(frame: Frame, size: Size) -> Size:
    """Return the size of the output for an input of ``size``."""
    width, height = size
    if frame.outpaint_by and frame.width is None and frame.height is None:
        return width + 2 * frame.outpaint_by[0], height + 2 * frame.outpaint_by[1]
    if frame.fit == "crop":
        return frame.width or width, frame.height or height
    wide = frame.width or max(1, round(width * (frame.height or 1) / height))
    high = frame.height or max(1, round(height * (frame.width or 1) / width))
    if frame.fit in ("canvas", "outpaint"):
        return wide, high
    choose = max if frame.fit == "cover" else min
    scale = choose(wide / width, high / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def apply(picture: Image.Image, frame: Frame, background: str | None) -> Image.Image:
    """Resize a picture (RGBA) into a frame."""
    target = result_size(frame, picture.size)
    if frame.fit == "crop":
        return _cropped(picture, frame, target)
    if frame.fit in ("cover", "bounds"):
        return picture.resize(target, Image.Resampling.LANCZOS)
    inside = picture
    if frame.outpaint_by is None or frame.width is not None or frame.height is not None:
        inside = ImageOps.contain(picture, target, Image.Resampling.LANCZOS)
    place = ((target[0] - inside.width) // 2, (target[1] - inside.height) // 2)
    canvas = _painted(picture, target) if frame.fit == "outpaint" else Image.new("RGBA", target, paint(background))
    canvas.alpha_composite(inside, place)
    return canvas


def paint(background: str | None, field: str = "operations.background.color") -> tuple[int, int, int, int]:
    """Read a background colour; white without one, and clear for ``transparent``."""
    if background is None:
        return 255, 255, 255, 255
    if background == "transparent":
        return 0, 0, 0, 0
    try:
        red, green, blue = ImageColor.getrgb(background if background.startswith("#") else f"#{background}")[:3]
    except ValueError as error:
        raise errors.invalid_field(field, "must be a hexadecimal colour such as #ffffff, or transparent") from error
    return red, green, blue, 255


def _cropped(picture: Image.Image, frame: Frame, target: Size) -> Image.Image:
    """Fill the target and cut the rest; one side alone only cuts, the other stays as it was."""
    if frame.width is not None and frame.height is not None:
        return ImageOps.fit(picture, target, Image.Resampling.LANCZOS)
    if target[0] <= picture.width and target[1] <= picture.height:
        left, top = (picture.width - target[0]) // 2, (picture.height - target[1]) // 2
        return picture.crop((left, top, left + target[0], top + target[1]))
    return ImageOps.fit(picture, target, Image.Resampling.LANCZOS)


def _painted(picture: Image.Image, target: Size) -> Image.Image:
    """Guess what is around a picture: itself, filling the target, out of focus."""
    small = ImageOps.fit(picture.convert("RGB"), (max(1, target[0] // 8), max(1, target[1] // 8)))
    return small.filter(ImageFilter.GaussianBlur(6)).resize(target, Image.Resampling.BICUBIC).convert("RGBA")


def _percent(name: str, side: int | str) -> float | None:
    if isinstance(side, int) or side == "auto":
        return None
    found = _PERCENT.fullmatch(side.strip())
    if not found or float(found[1]) <= 0:
        raise errors.invalid_field(f"operations.resizing.{name}", "must be pixels, a percentage such as 200%, or auto")
    return float(found[1])


def _outpaint_by(fit: object, size: Size) -> tuple[int, int] | None:
    """Read ``outpaint_by``: pixels (``100`` or ``100px``) or percent, one or two of them for each side."""
    if not isinstance(fit, OutpaintFit) or fit.outpaint_by is None:
        return None
    return lengths("operations.resizing.fit.outpaint_by", fit.outpaint_by, size)


def lengths(field: str, text: str, size: Size) -> tuple[int, int]:
    """Read one or two lengths (``10%``, ``40px``, ``40``): across, then down."""
    parts = text.split()
    found = [re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(%|px)?", part) for part in parts]
    if not 1 <= len(parts) <= 2 or not all(found):
        raise errors.invalid_field(field, "must be one or two lengths in pixels or percent, such as '10%' or '40 20'")
    pairs = [(float(one[1]), one[2]) for one in found if one]
    if len(pairs) == 1:
        pairs *= 2
    across, down = (
        round(before * number / 100 if unit == "%" else number)
        for (number, unit), before in zip(pairs, size, strict=True)
    )
    return across, down
