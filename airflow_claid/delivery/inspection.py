"""Looking into a file's bytes: whether it is whole, of the size announced, and the content filter's black."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

from airflow_claid.errors import DownloadFailedError, DownloadRefusedError

_DARK = 3
_PIXELS_PER_BYTE_WHEN_PLAIN = 32
_BOX_HEADER = 8
_BOX_TO_THE_END, _LONG_BOX = 0, 1
"""Sizes of an MP4's box that stand for another: up to the end of the file, or in the eight bytes after its name."""


@dataclass(frozen=True)
class Inspection:
    """What a file's bytes are."""

    width: int | None
    height: int | None
    mime: str
    bytes: int
    sha256: str
    blocked: bool


def inspect(content: bytes, *, announced: tuple[int | None, int | None], max_pixels: int) -> Inspection:
    """Check that bytes are a whole picture of the announced size.

    :param content: the file.
    :param announced: width and height in pixels that Claid's answer named; ``None`` where it named none.
    :param max_pixels: refuse to open more.
    :raises DownloadRefusedError: if it is no picture, or of another size.
    :raises DownloadFailedError: if it is a picture of which a part is missing.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(content))
        except Image.DecompressionBombError:
            raise DownloadRefusedError(f"the picture has too many pixels; the cap is {max_pixels}") from None
        except OSError:
            raise DownloadRefusedError(f"{len(content)} bytes arrived that are no picture") from None
        with image:
            width, height = image.size
            if width * height > max_pixels:
                raise DownloadRefusedError(f"the picture has {width}x{height} pixels; the cap is {max_pixels} in all")
            if any(side not in (None, actual) for side, actual in zip(announced, image.size, strict=True)):
                raise DownloadRefusedError(
                    f"the picture has {width}x{height} pixels, but {announced[0]}x{announced[1]} were announced"
                )
            mime = Image.MIME.get(image.format or "", "application/octet-stream")
            try:
                image.verify() if image.format == "PNG" else image.load()
            except (OSError, SyntaxError, ValueError) as error:
                raise DownloadFailedError(f"the picture is broken: {error}") from None
    return Inspection(
        width, height, mime, len(content), hashlib.sha256(content).hexdigest(), is_plain_black(content, width * height)
    )


def inspect_video(content: bytes, *, announced: tuple[int | None, int | None]) -> Inspection:
    """Check that bytes are a whole MP4: its boxes add up to the file, and what a player needs first is among them.

    :param announced: width and height in pixels that Claid's answer named; they are taken over, not checked.
    :raises DownloadRefusedError: if it is no MP4.
    :raises DownloadFailedError: if it is one of which a part is missing.
    """
    if content[4:8] != b"ftyp":
        raise DownloadRefusedError(f"{len(content)} bytes arrived that are no MP4 video")
    names, position = set(), 0
    while position < len(content):
        size, name = int.from_bytes(content[position : position + 4], "big"), content[position + 4 : position + 8]
        if size == _LONG_BOX:
            size = int.from_bytes(content[position + 8 : position + 16], "big")
        elif size == _BOX_TO_THE_END:
            size = len(content) - position
        if size < _BOX_HEADER:
            break
        names.add(name)
        position += size
    if position != len(content) or b"moov" not in names:
        raise DownloadFailedError(f"the video is broken: {len(content)} bytes arrived, and a part of it is missing")
    return Inspection(*announced, "video/mp4", len(content), hashlib.sha256(content).hexdigest(), blocked=False)


def most_bytes_when_black(pixels: int) -> int:
    """Return the most bytes that a plain black picture of so many pixels can have; only smaller files are suspects."""
    return max(4096, pixels // _PIXELS_PER_BYTE_WHEN_PLAIN)


def is_plain_black(content: bytes, pixels: int) -> bool:
    """Tell whether a picture is the plain black one by which Claid's content filter replaces another.

    :raises DownloadFailedError: if it is no whole picture.
    """
    if len(content) > most_bytes_when_black(pixels):
        return False
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            return max(image.convert("RGB").tobytes()) <= _DARK
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DownloadFailedError(f"the picture is broken: {error}") from None
