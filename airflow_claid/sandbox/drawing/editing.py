"""The ``operations`` of an edit, with Pillow: sizes are exact, effects are approximations."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.edit_operations import (
    Adjustments,
    Background,
    BlurBackground,
    Operations,
    Restorations,
)
from airflow_claid.sandbox.drawing import resizing

_BLUR = {"low": 0.006, "medium": 0.015, "high": 0.03}


def check(operations: Operations) -> None:
    """Refuse operations that are wrong for every input."""
    if operations.resizing:
        resizing.check(operations.resizing)
    if operations.background:
        resizing.colour_of(operations.background.color)
    if operations.padding is not None:
        resizing.lengths("operations.padding", operations.padding, (1000, 1000))


def apply(picture: Image.Image, operations: Operations, max_megapixels: float) -> Image.Image:
    """Apply all operations to a picture (RGBA), in Claid's order; return a new picture."""
    _check_output_size(picture.size, operations, max_megapixels)
    background = operations.background or Background()
    if operations.restorations:
        picture = _restore(picture, operations.restorations, sharpen=operations.resizing is None)
    if operations.generative and operations.generative.style_transfer:
        picture = _stylise(picture, operations.generative.style_transfer.style_strength)
    picture = _edit_background(picture, background)
    if operations.privacy and operations.privacy.blur_car_plate:
        picture = _blur_car_plate(picture)
    if operations.privacy and operations.privacy.identity_crop:
        picture = picture.crop((0, picture.height // 4, picture.width, picture.height))
    if operations.resizing:
        frame = resizing.plan(operations.resizing, picture.size)
        picture = resizing.apply(picture, frame, background.color)
        if operations.restorations and operations.restorations.upscale:
            picture = _with_colours(picture, picture.convert("RGB").filter(ImageFilter.UnsharpMask(1.2, 60, 2)))
    if operations.adjustments:
        picture = _adjust(picture, operations.adjustments)
    if operations.padding is not None:
        picture = _pad(picture, operations.padding, background.color)
    return picture


def _check_output_size(size: resizing.Size, operations: Operations, max_megapixels: float) -> None:
    width, height = size
    if operations.resizing:
        width, height = resizing.result_size(resizing.plan(operations.resizing, size), size)
    if operations.padding is not None:
        horizontal, vertical = resizing.lengths("operations.padding", operations.padding, (width, height))
        width, height = width + 2 * horizontal, height + 2 * vertical
    if width * height > max_megapixels * 1_000_000 or max(width, height) > 65_500:
        raise errors.invalid_field(
            "operations.resizing",
            f"the output would be {width}x{height} pixels; at most {max_megapixels:g} megapixels are allowed",
        )


def _with_colours(picture: Image.Image, colours: Image.Image) -> Image.Image:
    """Return a picture with new colours and its own transparency."""
    result = colours.convert("RGBA")
    result.putalpha(picture.getchannel("A"))
    return result


def _restore(picture: Image.Image, restorations: Restorations, *, sharpen: bool) -> Image.Image:
    """Repair a picture. If it will be resized, an upscale is sharpened after that and not here."""
    colours = picture.convert("RGB")
    if restorations.decompress:
        colours = colours.filter(
            ImageFilter.ModeFilter(3) if restorations.decompress == "strong" else ImageFilter.SMOOTH
        )
    if restorations.polish:
        colours = colours.filter(ImageFilter.DETAIL)
    if restorations.upscale and sharpen:
        colours = colours.filter(ImageFilter.UnsharpMask(1.0, 30, 2))
    return _with_colours(picture, colours)


def _stylise(picture: Image.Image, strength: float) -> Image.Image:
    colours = picture.convert("RGB")
    styled = ImageOps.posterize(colours.filter(ImageFilter.ModeFilter(5)), 3)
    return _with_colours(picture, Image.blend(colours, styled, strength))


def _edit_background(picture: Image.Image, background: Background) -> Image.Image:
    """Remove, colour or blur the background. The subject is assumed to be an oval in the middle."""
    if background.remove is False and background.blur is False:
        if background.color is None or background.color == "transparent":
            return picture
        canvas = Image.new("RGBA", picture.size, resizing.colour_of(background.color))
        canvas.alpha_composite(picture)
        return canvas
    mask = _subject_mask(picture.size)
    if background.blur is not False:
        level = background.blur.level if isinstance(background.blur, BlurBackground) else "medium"
        blurred = picture.filter(ImageFilter.GaussianBlur(max(1.0, _BLUR[level] * max(picture.size))))
        picture = Image.composite(picture, blurred, mask)
    if background.remove is not False:
        subject = picture.copy()
        subject.putalpha(ImageChops.multiply(picture.getchannel("A"), mask))
        canvas = Image.new("RGBA", picture.size, resizing.colour_of(background.color or "transparent"))
        canvas.alpha_composite(subject)
        picture = canvas
    return picture


def _subject_mask(size: resizing.Size) -> Image.Image:
    mask = Image.new("L", (256, 256))
    ImageDraw.Draw(mask).ellipse((26, 26, 230, 230), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(3)).resize(size, Image.Resampling.BILINEAR)


def _blur_car_plate(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    box = (width * 3 // 8, height * 3 // 4, width * 5 // 8, height * 7 // 8)
    if box[2] <= box[0] or box[3] <= box[1]:
        return picture
    result = picture.copy()
    result.paste(picture.crop(box).filter(ImageFilter.BoxBlur(max(2, width // 40))), box)
    return result


def _adjust(picture: Image.Image, adjustments: Adjustments) -> Image.Image:
    colours = picture.convert("RGB")
    hdr = adjustments.hdr if isinstance(adjustments.hdr, int) else adjustments.hdr.intensity
    if hdr:
        colours = Image.blend(colours, ImageOps.autocontrast(colours, cutoff=1), hdr / 100)
    if adjustments.exposure:
        colours = ImageEnhance.Brightness(colours).enhance(2.0 ** (adjustments.exposure / 50))
    if adjustments.contrast:
        colours = ImageEnhance.Contrast(colours).enhance(1 + adjustments.contrast / 100)
    if adjustments.saturation:
        colours = ImageEnhance.Color(colours).enhance(1 + adjustments.saturation / 100)
    if adjustments.sharpness:
        colours = colours.filter(ImageFilter.UnsharpMask(2, adjustments.sharpness * 2, 1))
    return _with_colours(picture, colours)


def _pad(picture: Image.Image, padding: str, background: str | None) -> Image.Image:
    horizontal, vertical = resizing.lengths("operations.padding", padding, picture.size)
    canvas = Image.new(
        "RGBA", (picture.width + 2 * horizontal, picture.height + 2 * vertical), resizing.colour_of(background)
    )
    canvas.alpha_composite(picture, (horizontal, vertical))
    return canvas
