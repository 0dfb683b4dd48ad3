"""Resize pictures as ``operations.resizing`` describes: sizes, fits and lengths."""

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
    """The requested size in pixels; None for a side that follows from the other."""

    fit: Fit
    width: int | None
    height: int | None
    outpaint_by: tuple[int, int] | None = None


def check(resizing: Resizing) -> None:
    """Refuse sizes that are wrong for every input."""
    plan(resizing, (1000, 1000))


def plan(resizing: Resizing, size: Size) -> Frame:
    """Return the requested size in pixels, for an input of ``size``."""
    fit: Fit = resizing.fit if isinstance(resizing.fit, str) else resizing.fit.type
    extra = _outpaint_by(resizing.fit, size)
    sides = {"width": resizing.width, "height": resizing.height}
    if all(side == "auto" for side in sides.values()) and extra is None:
        raise errors.invalid_field("operations.resizing", "width and height cannot both be auto")
    percents = {name: _percent(name, side) for name, side in sides.items()}
    distinct_percents = {percent for percent in percents.values() if percent is not None}
    differ = len(distinct_percents) > 1 and fit != "outpaint"  # public clients outpaint by percent
    if distinct_percents and (differ or any(isinstance(side, int) for side in sides.values())):
        raise errors.invalid_field(
            "operations.resizing", "a percentage goes with the same percentage, or auto, on the other side"
        )
    pixels: list[int | None] = []
    for (name, side), before in zip(sides.items(), size, strict=True):
        percent = percents[name]
        if percent is not None:
            pixels.append(max(1, round(before * percent / 100)))
        elif isinstance(side, int):
            if side < 1:
                raise errors.invalid_field(f"operations.resizing.{name}", "must be at least 1 pixel")
            pixels.append(side)
        else:
            pixels.append(None)
    return Frame(fit, pixels[0], pixels[1], extra)


def result_size(frame: Frame, size: Size) -> Size:
    """Return the output's size, for an input of ``size``."""
    width, height = size
    if frame.outpaint_by and frame.width is None and frame.height is None:
        return width + 2 * frame.outpaint_by[0], height + 2 * frame.outpaint_by[1]
    if frame.fit == "crop":
        return frame.width or width, frame.height or height
    target_width = frame.width or max(1, round(width * (frame.height or 1) / height))
    target_height = frame.height or max(1, round(height * (frame.width or 1) / width))
    if frame.fit in ("canvas", "outpaint"):
        return target_width, target_height
    choose = max if frame.fit == "cover" else min
    scale = choose(target_width / width, target_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def apply(picture: Image.Image, frame: Frame, background: str | None) -> Image.Image:
    """Resize a picture (RGBA) to a frame."""
    target = result_size(frame, picture.size)
    if frame.fit == "crop":
        return _crop(picture, frame, target)
    if frame.fit in ("cover", "bounds"):
        return picture.resize(target, Image.Resampling.LANCZOS)
    inside = picture
    if frame.outpaint_by is None or frame.width is not None or frame.height is not None:
        inside = ImageOps.contain(picture, target, Image.Resampling.LANCZOS)
    place = ((target[0] - inside.width) // 2, (target[1] - inside.height) // 2)
    canvas = _outpaint(picture, target) if frame.fit == "outpaint" else Image.new("RGBA", target, colour_of(background))
    canvas.alpha_composite(inside, place)
    return canvas


def colour_of(text: str | None, field: str = "operations.background.color") -> tuple[int, int, int, int]:
    """Parse a background colour. None is white."""
    if text is None:
        return 255, 255, 255, 255
    if text == "transparent":
        return 0, 0, 0, 0
    try:
        red, green, blue = ImageColor.getrgb(text if text.startswith("#") else f"#{text}")[:3]
    except ValueError as error:
        raise errors.invalid_field(field, "must be a hexadecimal colour such as #ffffff, or transparent") from error
    return red, green, blue, 255


def _crop(picture: Image.Image, frame: Frame, target: Size) -> Image.Image:
    """Fill the target and cut off the rest. With one side only, the other side stays the same."""
    if frame.width is not None and frame.height is not None:
        return ImageOps.fit(picture, target, Image.Resampling.LANCZOS)
    if target[0] <= picture.width and target[1] <= picture.height:
        left, top = (picture.width - target[0]) // 2, (picture.height - target[1]) // 2
        return picture.crop((left, top, left + target[0], top + target[1]))
    return ImageOps.fit(picture, target, Image.Resampling.LANCZOS)


def _outpaint(picture: Image.Image, target: Size) -> Image.Image:
    """Return a blurred enlargement of the picture, as a stand-in for painted surroundings."""
    small = ImageOps.fit(picture.convert("RGB"), (max(1, target[0] // 8), max(1, target[1] // 8)))
    return small.filter(ImageFilter.GaussianBlur(6)).resize(target, Image.Resampling.BICUBIC).convert("RGBA")


def _percent(name: str, side: int | str) -> float | None:
    if isinstance(side, int) or side == "auto":
        return None
    match = _PERCENT.fullmatch(side.strip())
    if not match or float(match[1]) <= 0:
        raise errors.invalid_field(f"operations.resizing.{name}", "must be pixels, a percentage such as 200%, or auto")
    return float(match[1])


def _outpaint_by(fit: object, size: Size) -> tuple[int, int] | None:
    """Parse ``outpaint_by``: one or two lengths in pixels (``100`` or ``100px``) or percent."""
    if not isinstance(fit, OutpaintFit) or fit.outpaint_by is None:
        return None
    return lengths("operations.resizing.fit.outpaint_by", fit.outpaint_by, size)


def lengths(field: str, text: str, size: Size) -> tuple[int, int]:
    """Parse one or two lengths (``10%``, ``40px``, ``40``): horizontal, then vertical."""
    parts = text.split()
    matches = [re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(%|px)?", part) for part in parts]
    if not 1 <= len(parts) <= 2 or not all(matches):
        raise errors.invalid_field(field, "must be one or two lengths in pixels or percent, such as '10%' or '40 20'")
    pairs = [(float(match[1]), match[2]) for match in matches if match]
    if len(pairs) == 1:
        pairs *= 2
    horizontal, vertical = (
        round(before * number / 100 if unit == "%" else number)
        for (number, unit), before in zip(pairs, size, strict=True)
    )
    return horizontal, vertical
