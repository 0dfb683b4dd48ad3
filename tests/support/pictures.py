"""Pictures for tests, and bytes that only look like some."""

from __future__ import annotations

import io
import random
import struct
import zlib

from PIL import Image


def picture(
    width: int = 64, height: int = 48, colour: object = "teal", kind: str = "PNG", mode: str = "RGB", **options: object
) -> bytes:
    """One colour."""
    target = io.BytesIO()
    Image.new(mode, (width, height), colour).save(target, kind, **options)  # type: ignore[arg-type]
    return target.getvalue()


def noise(width: int = 64, height: int = 48, brightest: int = 255, kind: str = "PNG") -> bytes:
    """Every pixel another colour, none brighter than told."""
    chance = random.Random(0)
    image = Image.frombytes(
        "RGB", (width, height), bytes(chance.randint(0, brightest) for _ in range(width * height * 3))
    )
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header names any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
