"""The structure of JPEG files: size, scans, and what Pillow needs to open one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_claid.delivery.formats import Pieces
from airflow_claid.delivery.png import BrokenStructureError

END = b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SIZES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_TABLES = {0xC4, 0xDB, 0xDD, 0xE0, 0xEE}
"""Huffman and quantization tables, the restart interval, and the two markers that tell the kind of colours."""

_SCAN = 0xDA
_JUNK = bytes(1 + (7 * number * number + 5 * number) % 253 for number in range(4096))


@dataclass(frozen=True)
class JpegStart:
    """A JPEG up to the data of its first scan.

    :param header: what the pixels need of it, without texts and profiles.
    :param data: position of the first scan's data.
    """

    width: int
    height: int
    components: int
    progressive: bool
    header: bytes
    data: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def pixels(self) -> int:
        """How many."""
        return self.width * self.height


def start_of(file: Pieces) -> JpegStart:
    """Read a JPEG up to the data of its first scan; metadata is skipped.

    :raises BrokenStructureError: if there is no scan.
    """
    position, kept, frame, progressive = 2, bytearray(b"\xff\xd8"), b"", False
    while len(head := file.at(position, 4)) == 4 and head[0] == 0xFF:
        marker, length = head[1], int.from_bytes(head[2:], "big")
        if marker in (0x01, 0xFF):
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _SIZES:
            frame, progressive = file.at(position + 4, length - 2), marker in _PROGRESSIVE
        if marker in _SIZES or marker in _TABLES or marker == _SCAN:
            kept += file.at(position, length + 2)
        position += length + 2
        if marker == _SCAN:
            if len(frame) < 6:
                break
            height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            return JpegStart(width, height, frame[5], progressive, bytes(kept), position)
    raise BrokenStructureError("it has no data")


def check_scans(content: bytes, start: JpegStart) -> None:
    """Check that a progressive JPEG has all the scans that it needs.

    :raises BrokenStructureError: if one is missing.
    """
    if not start.progressive:
        return
    missing: dict[tuple[int, int], int] = {}
    for position in _scans(content, start):
        count = content[position + 4]
        components = content[position + 5 : position + 5 + 2 * count : 2]
        first, last, bits = content[position + 5 + 2 * count : position + 8 + 2 * count]
        for component in components:
            for coefficient in range(first, min(last, 63) + 1):
                missing[component, coefficient] = bits & 15
    without_base = start.components - sum(coefficient == 0 for _, coefficient in missing)
    if without_base > 0 or any(missing.values()):
        raise BrokenStructureError("some of its scans are missing")


def with_junk_behind_the_data(content: bytes, start: JpegStart) -> bytes:
    """Return a JPEG with junk behind its first and its last data: a decoder sees it only where data is missing."""
    first, end = _MARKER.search(content, start.data), content.find(END, start.data)
    if first is None or end < 0:
        return content
    junk = _JUNK if end > first.start() else b""
    parts = (content[start.data : first.start()], _JUNK, content[first.start() : end], junk, content[end:])
    return b"".join((start.header, *parts))


def _scans(content: bytes, start: JpegStart) -> list[int]:
    """Return the positions of the markers of all scans."""
    first = content.rfind(b"\xff\xda", 0, start.data)
    found = [first]
    for marker in _MARKER.finditer(content, start.data):
        code = content[marker.start() + 1]
        if code == 0xD9:
            break
        if code == _SCAN:
            found.append(marker.start())
    return found
