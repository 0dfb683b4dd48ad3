"""Is this file a usable picture, and is it plain black? Judged from as few of its bytes as will do."""

from __future__ import annotations

from enum import Enum

from airflow_claid.delivery import jpeg, png
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.formats import TAKEN, Pieces, Read, TooScatteredError, format_of
from airflow_claid.delivery.inspection import inspect
from airflow_claid.delivery.memory import FILES
from airflow_claid.delivery.opening import CannotOpenError, jpeg_shows_brightness
from airflow_claid.delivery.png import BrokenStructureError
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError

HEAD_BYTES = 1 << 16
"""A file of no more bytes is read whole; of a larger one, at first, so many."""

_TAIL_BYTES = 64
_MAX_BYTES = DownloadRules.max_bytes
_MAX_PIXELS = DownloadRules.max_pixels
_PNG_END = b"IEND\xaeB`\x82"


class Verdict(Enum):
    """What a file is."""

    USABLE = "usable"
    BLOCKED = "blocked"
    UNFINISHED = "unfinished"
    NO_PICTURE = "no picture"


def judge(size: int, read: Read) -> Verdict:
    """Judge a file.

    Of a PNG or JPEG that is larger than 64 KB the beginning of the picture's data and the end of the file are read. If
    they do not show that it is whole and more than black, and of all other files, everything is read and decoded.

    :param size: bytes of the file.
    :param read: gives the bytes from a position to another; a server that knows no ranges may give more.
    :raises Exception: whatever ``read`` raises.
    """
    if size == 0:
        return Verdict.UNFINISHED
    head = read(0, min(size, HEAD_BYTES))[:HEAD_BYTES]
    kind = format_of(head[:16])
    if kind is None:
        return Verdict.NO_PICTURE
    if size <= len(head):
        return judge_whole(head)
    shown = _first_look(kind, Pieces(size, read, first=head))
    if shown is not None and (shown is not Verdict.USABLE or _ends_well(kind, read(max(0, size - _TAIL_BYTES), size))):
        return shown
    return _judge_all(size, read)


def is_black(size: int, read: Read) -> bool:
    """Tell whether a picture is the plain black one by which Claid's content filter replaces another.

    Reads no more than :func:`judge`; of a larger PNG or JPEG it is not checked that the end is there.

    :param size: bytes of the file.
    :param read: as for :func:`judge`.
    :raises DownloadFailedError: if it had to be read whole, and a part of it is missing.
    :raises DownloadRefusedError: if it is no picture.
    """
    head = read(0, min(size, HEAD_BYTES))[:HEAD_BYTES]
    kind = format_of(head[:16])
    in_hand = size <= len(head)
    verdict = _first_look(kind, Pieces(size, read, first=head)) if kind is not None else None
    if verdict is Verdict.USABLE and kind is not None and in_hand and not _ends_well(kind, head[-_TAIL_BYTES:]):
        verdict = None
    if verdict is None:
        verdict = judge_whole(head) if in_hand or kind is None else _judge_all(size, read)
    if verdict is Verdict.UNFINISHED:
        raise DownloadFailedError(f"the picture is broken: a part of its {size} bytes is missing or damaged")
    if verdict is Verdict.NO_PICTURE:
        raise DownloadRefusedError(f"{size} bytes are there that are no picture")
    return verdict is Verdict.BLOCKED


def judge_whole(content: bytes) -> Verdict:
    """Judge a file that is in hand, by decoding it."""
    if not content:
        return Verdict.UNFINISHED
    try:
        inspection = inspect(content, max_pixels=_MAX_PIXELS, formats=TAKEN)
    except DownloadFailedError:
        return Verdict.UNFINISHED
    except DownloadRefusedError:
        return Verdict.NO_PICTURE
    return Verdict.BLOCKED if inspection.blocked else Verdict.USABLE


def _judge_all(size: int, read: Read) -> Verdict:
    if size > _MAX_BYTES:
        return Verdict.NO_PICTURE
    with FILES.reservation(size):
        return judge_whole(read(0, size))


def _first_look(kind: str, file: Pieces) -> Verdict | None:
    """Return what the first data of a large PNG or JPEG shows; ``None`` if all of it must be read."""
    try:
        if kind == "PNG":
            if png.header_of(file.at(0, 64)).pixels > _MAX_PIXELS:
                return Verdict.NO_PICTURE
            return Verdict.USABLE if png.shows_brightness(file) else None
        if kind == "JPEG":
            start = jpeg.start_of(file)
            if start.pixels > _MAX_PIXELS:
                return Verdict.NO_PICTURE
            return Verdict.USABLE if jpeg_shows_brightness(start, file.rest_at(start.data)) else None
    except (TooScatteredError, CannotOpenError, BrokenStructureError):
        return None
    except Exception:  # noqa: BLE001 - whatever Pillow raises about the first data, all data will tell
        return None
    return None


def _ends_well(kind: str, tail: bytes) -> bool:
    """Whether a PNG or JPEG has its end, so that none of it is missing."""
    if kind == "PNG":
        return tail.endswith(_PNG_END)
    return tail.rstrip(b"\0").endswith(jpeg.END)
