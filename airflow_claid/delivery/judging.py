"""Is this file a usable picture? Judged from as few of its bytes as will do."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from enum import Enum

from airflow_claid.delivery.downloads import DownloadRules
from airflow_claid.delivery.inspection import inspect, most_bytes_when_black
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError

HEAD_BYTES = 1 << 16
"""A file of no more bytes is read whole; of a larger one, at first, so many."""

_TAIL_BYTES = 64
_MAX_BYTES = DownloadRules.max_bytes
_MAX_PIXELS = DownloadRules.max_pixels

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_BEGINNINGS = (_PNG, _JPEG, b"GIF8", b"BM", b"II*\0", b"MM\0*")
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"


class Verdict(Enum):
    """What a file is."""

    USABLE = "usable"
    BLOCKED = "blocked"
    UNFINISHED = "unfinished"
    NO_PICTURE = "no picture"


def judge(size: int, read: Callable[[int, int], bytes]) -> Verdict:
    """Judge a file.

    A file that is small enough to be a plain black picture is read whole and decoded, and so is one that does not
    show by its end that it is whole. Of every other PNG and JPEG the beginning and the end are read.

    :param size: bytes of the file.
    :param read: gives the bytes from a position to another; a server that knows no ranges may give more.
    """
    if size == 0:
        return Verdict.UNFINISHED
    head = read(0, min(size, HEAD_BYTES))[:HEAD_BYTES]
    if not _begins_like_a_picture(head):
        return Verdict.NO_PICTURE
    if size <= len(head):
        return judge_whole(head)
    pixels = _pixels(head)
    if pixels is not None and size > most_bytes_when_black(pixels):
        if pixels > _MAX_PIXELS:
            return Verdict.NO_PICTURE
        if _ends_well(head, read(max(0, size - _TAIL_BYTES), size)):
            return Verdict.USABLE
    return judge_whole(read(0, size)) if size <= _MAX_BYTES else Verdict.NO_PICTURE


def judge_whole(content: bytes) -> Verdict:
    """Judge a file that is in hand, by decoding it."""
    if not _begins_like_a_picture(content):
        return Verdict.NO_PICTURE if content else Verdict.UNFINISHED
    try:
        inspection = inspect(content, announced=(None, None), max_pixels=_MAX_PIXELS)
    except DownloadFailedError:
        return Verdict.UNFINISHED
    except DownloadRefusedError:
        return Verdict.NO_PICTURE
    return Verdict.BLOCKED if inspection.blocked else Verdict.USABLE


def _begins_like_a_picture(head: bytes) -> bool:
    """Whether it begins like one of the formats that Claid takes or gives."""
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1")
    return head.startswith(_BEGINNINGS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _pixels(head: bytes) -> int | None:
    """Return how many pixels a PNG or JPEG announces; ``None`` if its beginning does not say."""
    if not head.startswith((_PNG, _JPEG)):
        return None
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(head), formats=("PNG", "JPEG")) as image:
                return image.width * image.height
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return None


def _ends_well(head: bytes, tail: bytes) -> bool:
    """Whether a PNG or JPEG has its end, so that none of it is missing."""
    if head.startswith(_PNG):
        return tail.endswith(_PNG_END)
    return tail.rstrip(b"\0").endswith(_JPEG_END)
