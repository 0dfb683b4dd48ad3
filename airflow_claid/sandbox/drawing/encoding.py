"""Pictures from bytes and to bytes: formats with their options, metadata, and how an answer describes a picture."""

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
    """How an answer describes a picture."""

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
    """Read a picture (RGBA, upright) and describe it; what is none, or too large, is refused with 400."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=INPUT_FORMATS)
        kind = (picture.format or "").lower()
        if picture.width * picture.height > max_megapixels * 1_000_000:
            raise errors.bad_image(
                f"The image has {picture.width}x{picture.height} pixels; at most {max_megapixels:g} megapixels will do."
            )
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise errors.bad_image("The input is not an image that can be read.") from error
    return upright, Description(kind, *upright.size)


def name_of(chosen: AnyFormat | None, default: str) -> str:
    """Return a format's name, which is its file extension too."""
    if chosen is None:
        return default
    return chosen if isinstance(chosen, str) else chosen.type


def write(picture: Image.Image, chosen: AnyFormat, metadata: Metadata | None) -> bytes:
    """Encode a picture (RGBA) in a format with its options, dots per inch and colour space."""
    kind = name_of(chosen, "jpeg")
    options = _options(kind, chosen)
    if metadata and metadata.dpi is not None:
        options["dpi"] = (metadata.dpi, metadata.dpi)
    space = metadata.color_space if metadata else None
    cmyk = space is not None and (space if isinstance(space, str) else space.type) == "CMYK"
    target = io.BytesIO()
    try:
        _in_colours(picture, kind, cmyk=cmyk).save(target, kind.upper(), **options)
    except (OSError, ValueError, KeyError) as error:
        raise errors.invalid_field("output.format", f"the image cannot be written as {kind}: {error}") from error
    return target.getvalue()


def _in_colours(picture: Image.Image, kind: str, *, cmyk: bool) -> Image.Image:
    """Convert to the colours a format can hold: CMYK for JPEG and TIFF only, no transparency in JPEG."""
    if cmyk and kind in ("jpeg", "tiff"):
        return flat(picture).convert("CMYK")
    if kind == "jpeg" or picture.getchannel("A").getextrema() == (255, 255):
        return flat(picture)
    return picture


def flat(picture: Image.Image) -> Image.Image:
    """Lay a picture on white."""
    if picture.getchannel("A").getextrema() == (255, 255):
        return picture.convert("RGB")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    return ground.convert("RGB")


def _options(kind: str, chosen: AnyFormat) -> dict[str, Any]:
    if kind == "jpeg":
        jpeg = chosen if isinstance(chosen, JpegFormat) else JpegFormat(type="jpeg")
        return {"quality": jpeg.quality, "progressive": jpeg.progressive}
    if kind == "png":
        png = chosen if isinstance(chosen, PngFormat) else None
        return {"compress_level": _PNG_LEVELS[png.compression if png else "optimal"]}
    compression = chosen.compression if isinstance(chosen, CompressedFormat) else None
    lossless = (
        compression is not None and (compression if isinstance(compression, str) else compression.type) == "lossless"
    )
    quality = (compression.quality if isinstance(compression, Lossy) else None) or _DEFAULT_QUALITY[kind]
    if kind == "tiff":
        return {"compression": "tiff_lzw"} if lossless else {"compression": "jpeg", "quality": quality}
    if kind == "avif":
        if "AVIF" not in Image.SAVE:
            raise errors.invalid_field("output.format", "this sandbox's Pillow cannot write AVIF")
        return {"quality": 100 if lossless else quality, "subsampling": "4:4:4" if lossless else "4:2:0", "speed": 9}
    return {"lossless": lossless, "quality": quality, "method": 2}
