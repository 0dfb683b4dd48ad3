"""Opening pictures with Pillow: only in a format that is expected, and only with the memory for it reserved."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from airflow_claid.delivery.jpeg import END, JpegStart, with_junk_behind_the_data
from airflow_claid.delivery.memory import OPENED, MemoryBudget
from airflow_claid.delivery.png import BRIGHTEST, BrokenStructureError, without_metadata
from airflow_claid.errors import DownloadRefusedError

if TYPE_CHECKING:
    from PIL.Image import Image

BRIGHTEST_BLOCK = 3
"""No block of 8 x 8 pixels of a plain black picture is brighter, of 255. Measured, see ``scripts/darkness.py``."""

_OPAQUE = 250
_STRIP_PIXELS = 1 << 20
_FIXED = 16_000_000
_BYTES_A_PIXEL = {"PNG": 4.5, "JPEG": 4.5, "WEBP": 17.0, "AVIF": 14.0, "TIFF": 5.5, "GIF": 10.0, "BMP": 4.5}
"""What Pillow needs to open a picture, measured; of a progressive JPEG more, of a reduced JPEG less."""

_PROGRESSIVE = 8.0
_REDUCED = 8
_EIGHT_BITS = 257
"""So many times a value of 8 bits is the value of 16 bits."""
_GREY = 128
"""What libjpeg gives for data that is missing."""

_MOST_FRAMES = 1000
_QUALITY = 82
_QUICK = 2
"""How hard WEBP's encoder tries, of 6."""


class CannotOpenError(Exception):
    """A picture cannot be opened here: it needs too much memory, or Pillow lacks its format."""


def jpeg_is_black(content: bytes, start: JpegStart) -> bool:
    """Decode a whole JPEG at an eighth of its size, and in full only if it may be black; tell whether it is.

    :raises BrokenStructureError: if data is missing in the middle.
    :raises CannotOpenError: if it needs too much memory.
    :raises Exception: whatever Pillow raises about a broken file.
    """
    bare = start.header + content[start.data :]
    extra = start.pixels * _PROGRESSIVE if start.progressive else 0
    with _reserved(start.pixels / _REDUCED + extra + 2 * len(content)), _opened(bare, "JPEG") as image:
        _reduce(image)
        last = image.getpixel((image.width - 1, image.height - 1))
        grey = last in (_GREY, (_GREY, _GREY, _GREY))
        if grey and _differ(image, with_junk_behind_the_data(content, start)):
            raise BrokenStructureError("a part of its data is missing")
        if not _is_dark(image, BRIGHTEST_BLOCK + 1):
            return False
    with _reserved(start.pixels * _BYTES_A_PIXEL["JPEG"] + extra + len(content)), _opened(bare, "JPEG") as image:
        return _is_dark(image)


def jpeg_shows_brightness(start: JpegStart, data: bytes) -> bool:
    """Tell whether the first data of a JPEG shows that it is not plain black.

    Where the data ends, libjpeg goes on in plain grey, which does not count.
    """
    with (
        _reserved(start.pixels / _REDUCED + (start.pixels * _PROGRESSIVE if start.progressive else 0)),
        _opened(start.header + data + END, "JPEG") as image,
    ):
        if image.mode not in ("L", "RGB"):
            return False
        _reduce(image)
        histogram = image.convert("L").histogram()
        return any(number for grey, number in enumerate(histogram) if grey > BRIGHTEST and grey != _GREY)


def is_black(content: bytes, kind: str, pixels: int) -> bool:
    """Decode a picture of any format but JPEG, and tell whether it is plain black: opaque and dark in all its frames.

    :param kind: its format, by Pillow's name.
    :param pixels: how many it announces.
    :raises CannotOpenError: if it needs too much memory.
    :raises Exception: whatever Pillow raises about a broken file.
    """
    with _reserved(pixels * _BYTES_A_PIXEL[kind] + len(content)):
        bare = without_metadata(content) if kind == "PNG" else content
        with _opened(bare, kind) as image:
            return all(_is_dark(frame) for frame in _frames(image))


def reduced(content: bytes, kind: str, side: int, memory: MemoryBudget) -> tuple[bytes, tuple[int, int]]:
    """Return a picture as a WEBP that is no wider and no higher than ``side`` pixels, and the size that it has itself.

    A JPEG is decoded at a fraction of its size. Of an animation, it is the first frame.

    :param memory: what opening pictures may take here.
    :raises CannotOpenError: if it needs more than that, or Pillow lacks its format.
    :raises Exception: whatever Pillow raises about a broken file.
    """
    from PIL import ImageOps

    with _opened(without_metadata(content) if kind == "PNG" else content, kind) as image:
        size = image.size
        if kind == "JPEG":
            image.draft(None, (side, side))
        extra = _PROGRESSIVE if image.info.get("progressive") else 0
        needed = image.width * image.height * _BYTES_A_PIXEL[kind] + size[0] * size[1] * extra + _FIXED
        if needed > memory.total:
            raise CannotOpenError(f"{size[0]} x {size[1]} pixels take too much memory to be shown")
        with memory.reservation(int(needed)):
            image.load()
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            shown = _as_rgba(image) if image.mode not in ("RGB", "L") else image
            shown = shown if has_alpha or shown.mode != "RGBA" else shown.convert("RGB")
            shown.thumbnail((side, side), reducing_gap=2.0)
            shown = ImageOps.exif_transpose(shown)
            written = io.BytesIO()
            shown.save(written, "WEBP", quality=_QUALITY, method=_QUICK)
    return written.getvalue(), size


def size_of(content: bytes, kind: str) -> tuple[int, int]:
    """Return width and height that a picture announces, as Pillow reads them.

    :raises Exception: whatever Pillow raises about a broken file.
    """
    with _opened(content, kind) as image:
        return image.size


@contextmanager
def _reserved(size: float) -> Iterator[None]:
    if size + _FIXED > OPENED.total:
        raise CannotOpenError(f"that takes more than the {OPENED.total // 1_000_000} MB of memory for opening pictures")
    with OPENED.reservation(int(size) + _FIXED):
        yield


@contextmanager
def _opened(content: bytes, kind: str) -> Iterator[Image]:
    """Open a picture, in this format only: Pillow knows some that start other programs.

    :raises CannotOpenError: if this Pillow cannot open the format.
    :raises DownloadRefusedError: if it has too many pixels.
    """
    from PIL import Image

    if kind not in Image.OPEN:
        Image.init()
    if kind not in Image.OPEN:
        raise CannotOpenError("this Pillow does not know the format")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(content), formats=(kind,))
        except Image.DecompressionBombError:
            raise DownloadRefusedError("the picture has more pixels than Pillow opens, which is its cap") from None
        with image:
            yield image


def _frames(image: Image) -> Iterator[Image]:
    """Yield the frames of an animation, or the one picture."""
    for number in range(min(getattr(image, "n_frames", 1), _MOST_FRAMES)):
        if number:
            image.seek(number)
        yield image


def _reduce(image: Image) -> None:
    """Have a JPEG decoded at an eighth of its size."""
    image.draft(None, (max(1, image.width // _REDUCED), max(1, image.height // _REDUCED)))
    image.load()


def _differ(image: Image, other_content: bytes) -> bool:
    from PIL import ImageChops

    with _opened(other_content, "JPEG") as other:
        _reduce(other)
        return ImageChops.difference(image.convert("RGB"), other.convert("RGB")).getbbox() is not None


def _is_dark(image: Image, brightest: int = BRIGHTEST) -> bool:
    """Tell whether a picture is opaque, has no pixel brighter than that, and is black on the whole."""
    image.load()
    rows = max(_REDUCED, _STRIP_PIXELS // image.width // _REDUCED * _REDUCED)
    for top in range(0, image.height, rows):
        strip = _as_rgba(image.crop((0, top, image.width, min(image.height, top + rows))))
        if _range(strip.getchannel("A"))[0] < _OPAQUE:
            return False
        colours = strip.convert("RGB")
        if any(_range(channel)[1] > brightest for channel in colours.split()):
            return False
        if any(_range(channel)[1] > BRIGHTEST_BLOCK for channel in colours.reduce(_REDUCED).split()):
            return False
    return True


def _range(channel: Image) -> tuple[float, float]:
    return cast("tuple[float, float]", channel.getextrema())


def _as_rgba(image: Image) -> Image:
    """Return a picture of any mode as RGBA with 8 bits."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / _EIGHT_BITS + 0.5).convert("L")
    elif image.mode == "F":
        image = image.point(lambda value: value * 255 + 0).convert("L")
    elif image.mode == "LAB":
        image = image.getchannel(0)
    elif image.mode in ("CMYK", "YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    return image.convert("RGBA")
