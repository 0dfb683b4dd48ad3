"""Pictures for tests, and bytes that only look like some."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterable
from functools import cache

from PIL import Image


@cache
def picture(
    width: int = 64, height: int = 48, colour: object = "teal", kind: str = "PNG", mode: str = "RGB", **options: object
) -> bytes:
    """One colour."""
    target = io.BytesIO()
    Image.new(mode, (width, height), colour).save(target, kind, **options)  # type: ignore[arg-type]
    return target.getvalue()


@cache
def noise(width: int = 64, height: int = 48, brightest: int = 255, kind: str = "PNG") -> bytes:
    """Every pixel another colour, none brighter than told."""
    levels = bytes(value * (brightest + 1) // 256 for value in range(256))
    pixels = random.Random(0).randbytes(width * height * 3).translate(levels)
    image = Image.frombytes("RGB", (width, height), pixels)
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue()


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The file of a picture."""
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


@cache
def photograph(width: int = 320, height: int = 240, kind: str = "PNG", **options: object) -> bytes:
    """Something with edges and grain everywhere."""
    chance = random.Random(1)
    grain = Image.frombytes("RGB", (width // 4, height // 4), chance.randbytes(width // 4 * (height // 4) * 3))
    return saved(grain.resize((width, height)), kind, **options)


def png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each chunk."""
    found, position = [], 8
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        found.append((content[position + 4 : position + 8], content[position + 8 : position + 8 + length]))
        position += length + 12
    return found


def png_with(content: bytes, name: bytes, data: bytes) -> bytes:
    """A PNG with one chunk changed, or put behind its header."""
    chunks = png_chunks(content)
    if name in dict(chunks):
        return _png((chunk, data if chunk == name else old) for chunk, old in chunks)
    return _png((chunks[0], (name, data), *chunks[1:]))


def png_that_claims(width: int, height: int, *, data: bytes = b"\0" * 100, interlaced: bool = False) -> bytes:
    """A PNG of a few bytes whose header names any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)
    return _png(((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")))


def webp_that_claims(width: int, height: int) -> bytes:
    """A WEBP of a few bytes whose header names any size."""
    content = picture(kind="WEBP", lossless=True)
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    extended = b"VP8X" + struct.pack("<II", 10, 0) + size + content[12:]
    return b"RIFF" + struct.pack("<I", len(extended) + 4) + b"WEBP" + extended


def bmp_that_claims(width: int, height: int) -> bytes:
    """A BMP of a few bytes whose header names any size."""
    content = bytearray(picture(kind="BMP"))
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


def _png(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
