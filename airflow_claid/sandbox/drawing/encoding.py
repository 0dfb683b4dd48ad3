"""Decode and encode pictures: formats with their options, metadata, and the description of a picture in an answer."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.edit import AnyFormat, CompressedFormat, JpegFormat, Lossy, Metadata, PngFormat

Image.init()
INPUT_FORMATS = tuple(name for name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF") if name in Image.OPEN)
_PNG_LEVELS = {"fast": 1, "optimal": 4, "best": 9}
_DEFAULT_QUALITY = {"webp": 75, "avif": 50, "tiff": 75}


@dataclass(frozen=True)
class Description:
    """The description of a picture in an answer."""

    format: str
    width: int
    height: int

    def to_json(self) -> dict[str, Any]:
        """Return ``ext``, ``mps`` (megapixels), ``mime``, ``format``, ``width`` and ``height``."""
        return {
            "ext": self.format,
            "mps": round(self.width * self.height / 1_000_000, 4),
            "mime": f"image/{self.format}",
            "format": self.format.upper(),
            "width": self.width,
            "height": self.height,
        }


def read(content: bytes, max_megapixels: float) -> tuple[Image.Image, Description]:
    """Decode a picture (RGBA, upright) and describe it, or refuse with 400."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=INPUT_FORMATS)
        name = (picture.format or "").lower()
        if picture.width * picture.height > max_megapixels * 1_000_000:
            raise errors.bad_image(
                f"The image has {picture.width}x{picture.height} pixels; the limit is {max_megapixels:g} megapixels."
            )
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise errors.bad_image("The input is not an image that can be read.") from error
    return upright, Description(name, *upright.size)


def name_of(output_format: AnyFormat | None, default: str) -> str:
    """Return the name of a format, which is also its file extension."""
    if output_format is None:
        return default
    return output_format if isinstance(output_format, str) else output_format.type


def write(picture: Image.Image, output_format: AnyFormat, metadata: Metadata | None) -> bytes:
    """Encode a picture (RGBA) with the options of the format, and with dots per inch and colour space."""
    name = name_of(output_format, "jpeg")
    options = _options(name, output_format)
    if metadata and metadata.dpi is not None:
        options["dpi"] = (metadata.dpi, metadata.dpi)
    space = metadata.color_space if metadata else None
    cmyk = space is not None and (space if isinstance(space, str) else space.type) == "CMYK"
    target = io.BytesIO()
    try:
        _in_colour_space(picture, name, cmyk=cmyk).save(target, name.upper(), **options)
    except (OSError, ValueError, KeyError) as error:
        raise errors.invalid_field("output.format", f"the image cannot be written as {name}: {error}") from error
    return target.getvalue()


def _in_colour_space(picture: Image.Image, name: str, *, cmyk: bool) -> Image.Image:
    """Convert to colours that the format supports: CMYK only in JPEG and TIFF, no transparency in JPEG."""
    if cmyk and name in ("jpeg", "tiff"):
        return flat(picture).convert("CMYK")
    if name == "jpeg" or picture.getchannel("A").getextrema() == (255, 255):
        return flat(picture)
    return picture


def flat(picture: Image.Image) -> Image.Image:
    """Return a picture on a white background (RGB)."""
    if picture.getchannel("A").getextrema() == (255, 255):
        return picture.convert("RGB")
    background = Image.new("RGBA", picture.size, "white")
    background.alpha_composite(picture)
    return background.convert("RGB")


def _options(name: str, output_format: AnyFormat) -> dict[str, Any]:
    if name == "jpeg":
        jpeg = output_format if isinstance(output_format, JpegFormat) else JpegFormat(type="jpeg")
        return {"quality": jpeg.quality, "progressive": jpeg.progressive}
    if name == "png":
        png = output_format if isinstance(output_format, PngFormat) else None
        return {"compress_level": _PNG_LEVELS[png.compression if png else "optimal"]}
    compression = output_format.compression if isinstance(output_format, CompressedFormat) else None
    lossless = (
        compression is not None and (compression if isinstance(compression, str) else compression.type) == "lossless"
    )
    quality = (compression.quality if isinstance(compression, Lossy) else None) or _DEFAULT_QUALITY[name]
    if name == "tiff":
        return {"compression": "tiff_lzw"} if lossless else {"compression": "jpeg", "quality": quality}
    if name == "avif":
        if "AVIF" not in Image.SAVE:
            raise errors.invalid_field("output.format", "this sandbox's Pillow cannot write AVIF")
        return {"quality": 100 if lossless else quality, "subsampling": "4:4:4" if lossless else "4:2:0", "speed": 9}
    return {"lossless": lossless, "quality": quality, "method": 2}
