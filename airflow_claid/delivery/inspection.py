"""Looking into a file's bytes: whether it is whole, and whether it is the content filter's black."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from airflow_claid.delivery import jpeg, png
from airflow_claid.delivery.formats import MADE, MIME, Pieces, format_of, webp_size
from airflow_claid.delivery.opening import CannotOpenError, is_black, jpeg_is_black, size_of
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError, PictureError

log: logging.Logger = logging.getLogger(__name__)

_LEAST_BYTES = 16
_RIFF_HEADER = 8
_BOX_HEADER = 8
_BOX_TO_THE_END, _LONG_BOX = 0, 1
"""Sizes of a box that stand for another: up to the end of the file, or in the eight bytes after its name."""


@dataclass(frozen=True)
class Inspection:
    """What a file's bytes are.

    :param width: pixels; ``None``, as ``height``, where they cannot be told without opening it.
    :param blocked: whether it is plain black; ``None`` if it cannot be opened here, or only with too much memory.
    """

    width: int | None
    height: int | None
    mime: str
    bytes: int
    sha256: str
    blocked: bool | None


def inspect(content: bytes, *, max_pixels: int, formats: tuple[str, ...] = MADE) -> Inspection:
    """Check that bytes are a whole picture, and see whether it is plain black.

    Opening a picture takes memory, of which all pictures of a process share a budget; where it is used up, this waits.

    :param content: the file.
    :param max_pixels: refuse to open more.
    :param formats: refuse to open others; Pillow's names.
    :raises DownloadRefusedError: if it is no picture in one of the formats, or has too many pixels.
    :raises DownloadFailedError: if it is a picture of which a part is missing or damaged.
    """
    kind = format_of(content[:16])
    if kind not in formats or len(content) < _LEAST_BYTES:
        raise DownloadRefusedError(f"{len(content)} bytes arrived that are no picture ({', '.join(formats)})")
    try:
        width, height, blocked = _seen(content, kind, max_pixels)
    except PictureError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a picture makes a library raise is that picture's fault
        raise DownloadFailedError(f"the picture is broken: {_said(error)}") from None
    return Inspection(width, height, MIME[kind], len(content), hashlib.sha256(content).hexdigest(), blocked)


def _seen(content: bytes, kind: str, max_pixels: int) -> tuple[int | None, int | None, bool | None]:
    """Return width, height, and whether a picture is black; ``None`` for what cannot be told without opening it."""
    start = jpeg.start_of(Pieces.of(content)) if kind == "JPEG" else None
    width = height = None
    try:
        width, height = start.size if start is not None else _size(content, kind)
        if width * height > max_pixels:
            raise DownloadRefusedError(f"the picture has {width}x{height} pixels; the cap is {max_pixels} in all")
        _check_structure(content, kind, start)
        if start is not None:
            return width, height, jpeg_is_black(content, start)
        if kind == "PNG" and not png.may_be_black(content):
            return width, height, False
        return width, height, is_black(content, kind, width * height)
    except CannotOpenError as error:
        log.warning("A %s picture of %sx%s pixels is not checked for black: %s", kind, width, height, error)
        return width, height, None


def _size(content: bytes, kind: str) -> tuple[int, int]:
    if kind == "PNG":
        return png.header_of(content).size
    return (webp_size(content[:30]) if kind == "WEBP" else None) or size_of(content, kind)


def _check_structure(content: bytes, kind: str, start: jpeg.JpegStart | None) -> None:
    """Check what can be seen without opening a picture."""
    if start is not None:
        jpeg.check_scans(content, start)
    elif kind == "WEBP" and int.from_bytes(content[4:8], "little") + _RIFF_HEADER > len(content):
        raise DownloadFailedError("the picture is broken: its end is missing")
    elif kind == "AVIF" and _boxes(content) is None:
        raise DownloadFailedError("the picture is broken: a part of it is missing")


def inspect_video(content: bytes, *, announced: tuple[int | None, int | None]) -> Inspection:
    """Check that bytes are a whole MP4: its boxes add up to the file, and what a player needs first is among them.

    :param announced: width and height in pixels that Claid's answer named; they are taken over, not checked.
    :raises DownloadRefusedError: if it is no MP4.
    :raises DownloadFailedError: if it is one of which a part is missing.
    """
    if content[4:8] != b"ftyp":
        raise DownloadRefusedError(f"{len(content)} bytes arrived that are no MP4 video")
    if b"moov" not in (_boxes(content) or ()):
        raise DownloadFailedError(f"the video is broken: {len(content)} bytes arrived, and a part of it is missing")
    return Inspection(*announced, "video/mp4", len(content), hashlib.sha256(content).hexdigest(), blocked=False)


def _boxes(content: bytes) -> set[bytes] | None:
    """Return the names of the boxes of an MP4 or AVIF; ``None`` if they do not add up to the file."""
    names, position = set(), 0
    while position < len(content):
        size, name = int.from_bytes(content[position : position + 4], "big"), content[position + 4 : position + 8]
        if size == _LONG_BOX:
            size = int.from_bytes(content[position + 8 : position + 16], "big")
        elif size == _BOX_TO_THE_END:
            size = len(content) - position
        if size < _BOX_HEADER:
            return None
        names.add(name)
        position += size
    return names if position == len(content) else None


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
