"""The formats of pictures, told by their first bytes, and reading a file piece by piece."""

from __future__ import annotations

from collections.abc import Callable

Read = Callable[[int, int], bytes]
"""Gives the bytes of a file from a position to another; a server that knows no ranges may give more."""

MADE = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
"""What Claid makes, by Pillow's names. Nothing else is opened of what Claid sends."""

TAKEN = (*MADE, "GIF", "BMP")
"""What Claid takes and Pillow can open."""

MIME = {name: f"image/{name.lower()}" for name in TAKEN}

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
_WINDOW = 1 << 16


def format_of(head: bytes) -> str | None:
    """Return Pillow's name of the format that a file begins like; ``None`` for any but those that Claid takes."""
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"mif1"):
        return "AVIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), None)


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height that a WEBP announces; ``None`` if it does not say."""
    if head[12:16] == b"VP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L" and head[20:21] == b"\x2f" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01\x2a" and len(head) >= 30:
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


class TooScatteredError(Exception):
    """A file's structure is too scattered to be followed piece by piece."""


class Pieces:
    """A file of which pieces of 64 KB are read, as few as will do.

    :param size: bytes of the file.
    :param read: reads a part of it.
    :param first: its first bytes, where they are in hand.
    :param most: no more pieces are read.
    """

    def __init__(self, size: int, read: Read, *, first: bytes = b"", most: int = 16) -> None:
        self.size = size
        self._read = read
        self._start = 0
        self._piece = first
        self._left = most

    @classmethod
    def of(cls, content: bytes) -> Pieces:
        """Make one of a file that is in hand."""
        return cls(len(content), lambda start, end: content[start:end], first=content)

    def at(self, start: int, count: int) -> bytes:
        """Return some bytes; fewer where the file ends.

        :param count: at most 64 KB.
        :raises TooScatteredError: if too many pieces were read.
        """
        end = min(self.size, start + count)
        if start >= end:
            return b""
        if not self._start <= start <= end <= self._start + len(self._piece):
            if not self._left:
                raise TooScatteredError
            self._left -= 1
            self._start = start
            self._piece = self._read(start, min(self.size, start + _WINDOW))[:_WINDOW]
        return self._piece[start - self._start : end - self._start]

    def rest_at(self, start: int) -> bytes:
        """Return what is in hand from a position on: at least a kilobyte, where the file has it."""
        self.at(start, 1024)
        return self._piece[start - self._start :] if start >= self._start else b""
