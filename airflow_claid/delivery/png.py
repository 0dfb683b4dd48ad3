"""The structure of PNG files: whether all data is there, without memory for the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zlib_ng import zlib_ng as zlib  # takes a quarter of the time that Python's own takes

from airflow_claid.delivery.formats import Pieces

BRIGHTEST = 12
"""No value of a plain black picture is higher, of 255. Measured, see ``scripts/darkness.py``."""

_BEGIN = 8
_STEP, _PIECE, _FIRST, _GLANCE = 1 << 20, 1 << 16, 1 << 14, 1 << 11
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SMALL = bytes(range(BRIGHTEST + 1)) + bytes(range(256 - BRIGHTEST, 256))
"""Differences between neighbouring pixels, neither of which is brighter than the limit."""
_DAMAGED: type[Exception] = zlib.error  # type: ignore[assignment]  # its stub says that it is an instance


class BrokenStructureError(Exception):
    """A part of a file is missing or damaged."""


@dataclass(frozen=True)
class PngHeader:
    """What a PNG announces.

    :param depth: bits for each channel.
    :param colour: PNG's number for the kind of colours.
    """

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @classmethod
    def of(cls, data: bytes) -> PngHeader:
        """Read the content of an IHDR chunk."""
        if len(data) < 13 or data[9] not in _CHANNELS:
            raise BrokenStructureError("its header is damaged")
        width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
        return cls(width, height, data[8], data[9], data[12] != 0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def pixels(self) -> int:
        """How many."""
        return self.width * self.height

    @property
    def data_bytes(self) -> int:
        """How many bytes the picture's data has when unpacked."""
        bits = self.depth * _CHANNELS[self.colour]
        passes = _ADAM7 if self.interlaced else ((0, 0, 1, 1),)
        total = 0
        for left, top, across, down in passes:
            width, height = -(-(self.width - left) // across), -(-(self.height - top) // down)
            if width > 0 and height > 0:
                total += height * (1 + (width * bits + 7) // 8)
        return total

    @property
    def shows_brightness(self) -> bool:
        """Whether a large difference in the data means that a pixel is bright or transparent."""
        return self.depth == 8 and self.colour != 3


def header_of(content: bytes) -> PngHeader:
    """Read a PNG's header.

    :raises BrokenStructureError: if it is damaged.
    """
    if content[12:16] != b"IHDR":
        raise BrokenStructureError("its header is missing")
    return PngHeader.of(content[16:29])


def may_be_black(content: bytes) -> bool:
    """Check that all of a PNG's data is there, and tell whether it may be plain black; what surely is not, is not.

    :raises BrokenStructureError: if a part is missing or damaged.
    """
    header = header_of(content)
    unpacked, dark, wanted = 0, True, header.data_bytes
    unpacker = zlib.decompressobj()
    for packed in _data_of(content):
        if unpacker.eof:
            continue
        try:
            data = unpacker.decompress(packed, _STEP)
            while data:
                if dark and header.shows_brightness and _is_bright(data[: wanted - unpacked]):
                    dark = False
                unpacked += len(data)
                data = unpacker.decompress(unpacker.unconsumed_tail, _STEP) if unpacked <= wanted else b""
        except _DAMAGED:
            raise BrokenStructureError("its data is damaged") from None
    if unpacked < wanted:
        raise BrokenStructureError(f"{wanted - unpacked} of {wanted} bytes of its data are missing")
    return dark


def _is_bright(data: bytes) -> bool:
    """Tell whether unpacked data has a large difference; its beginning mostly shows it."""
    return bool(data[:_FIRST].translate(None, _SMALL) or data.translate(None, _SMALL))


def without_metadata(content: bytes) -> bytes:
    """Return a PNG without its texts, profiles and other chunks that the pixels do not need."""
    view = memoryview(content)
    parts = (view[start - 8 : end + 4] for name, start, end in _chunks(content, check=False) if name in _NEEDED)
    return b"".join((view[:_BEGIN], *parts))


def shows_brightness(file: Pieces) -> bool:
    """Tell whether the first data of a PNG shows that it is not plain black; the rest is not read."""
    position, header = _BEGIN, None
    unpacker = zlib.decompressobj()
    while position < file.size:
        head = file.at(position, 8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name == b"IHDR":
            header = PngHeader.of(file.at(position + 8, length))
        if name == b"IDAT":
            if header is None or not header.shows_brightness:
                return False
            packed = file.rest_at(position + 8)[:length]
            in_hand = len(packed)
            try:
                for most in (_GLANCE, _FIRST, min(header.data_bytes, _STEP)):
                    if unpacker.decompress(packed, most).translate(None, _SMALL):
                        return True
                    packed = unpacker.unconsumed_tail
            except _DAMAGED:
                return False
            if in_hand < length:
                return False
        elif name == b"IEND":
            return False
        position += length + 12
    return False


def _data_of(content: bytes) -> Iterator[memoryview]:
    """Yield a PNG's packed data in small pieces, since zlib copies what it does not unpack at once."""
    view = memoryview(content)
    for name, start, end in _chunks(content):
        if name == b"IDAT":
            yield from (view[place : min(place + _PIECE, end)] for place in range(start, end, _PIECE))


def _chunks(content: bytes, *, check: bool = True) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, the start and the end of each chunk's content.

    :raises BrokenStructureError: if one is missing or damaged.
    """
    view, position = memoryview(content), _BEGIN
    while position + 12 <= len(content):
        length, name = int.from_bytes(view[position : position + 4], "big"), content[position + 4 : position + 8]
        start, end = position + 8, position + 8 + length
        if end + 4 > len(content):
            break
        if check and zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise BrokenStructureError(f"its part {name!r} is damaged")
        yield name, start, end
        if name == b"IEND":
            return
        position = end + 4
    raise BrokenStructureError("its end is missing")
