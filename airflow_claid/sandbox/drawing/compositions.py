"""Pictures made of others: AI edits, fashion models, scenes; and the placeholder for a video."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from PIL import Image, ImageOps

from airflow_claid.sandbox.drawing.encoding import flat
from airflow_claid.sandbox.drawing.pictures import Recipe, draw, letter

Colour = tuple[int, int, int, int]
_MEGAPIXEL_SIDE = 1024


@dataclass(frozen=True)
class PlacedProduct:
    """Where a product stands: middle in shares of the picture, scale (0 to 1), rotation in degrees."""

    x: float = 0.5
    y: float = 0.5
    scale: float = 1.0
    rotation: float = 0.0


def size_of(ratio: str) -> tuple[int, int]:
    """Return the size of about one megapixel with an aspect ratio such as ``16:9``; sides are multiples of 8."""
    wide, high = (int(part) for part in ratio.split(":"))
    unit = (_MEGAPIXEL_SIDE**2 / (wide * high)) ** 0.5
    return round(wide * unit / 8) * 8, round(high * unit / 8) * 8


def ai_edit(picture: Image.Image, recipe: Recipe) -> Image.Image:
    """Return the input under the colours of the prompt, with the prompt on it (RGBA)."""
    if recipe.blocked:
        return draw(recipe).convert("RGBA")
    size = (recipe.width, recipe.height)
    ground = ImageOps.fit(flat(picture), size)
    mixed = Image.blend(ground, draw(recipe, lettered=False), 0.35)
    letter(mixed, recipe)
    return mixed.convert("RGBA")


def fashion(garments: list[Image.Image], recipe: Recipe) -> Image.Image:
    """Return the prompt's picture with all garments hung up on it (RGBA)."""
    ground = draw(recipe).convert("RGBA")
    if recipe.blocked:
        return ground
    room = (recipe.width // max(2, len(garments)) - 24, recipe.height // 3)
    for position, garment in enumerate(garments):
        small = ImageOps.contain(garment, (max(8, room[0]), max(8, room[1])))
        middle = recipe.width * (2 * position + 1) // (2 * len(garments))
        ground.alpha_composite(small, (max(0, middle - small.width // 2), recipe.height // 5))
    return ground


def scene(product: Image.Image, recipe: Recipe, placed: PlacedProduct, colour: Colour | None) -> Image.Image:
    """Return the prompt's picture, or a plain colour, with the product on it (RGBA)."""
    if recipe.blocked:
        return draw(recipe).convert("RGBA")
    size = (recipe.width, recipe.height)
    ground = Image.new("RGBA", size, colour) if colour else draw(recipe).convert("RGBA")
    scale = max(0.02, placed.scale) * 0.5
    small = ImageOps.contain(product, (max(1, int(size[0] * scale)), max(1, int(size[1] * scale))))
    if placed.rotation:
        small = small.rotate(-placed.rotation, expand=True, resample=Image.Resampling.BICUBIC)
    layer = Image.new("RGBA", size)
    layer.paste(small, (int(size[0] * placed.x) - small.width // 2, int(size[1] * placed.y) - small.height // 2))
    ground.alpha_composite(layer)
    return ground


def placeholder_video(seconds: int, text: str) -> bytes:
    """Return a valid MP4 container that lasts ``seconds`` and has no frames; a player shows nothing."""
    brand = _box(b"ftyp", b"isom" + struct.pack(">I", 0x200) + b"isomiso2mp41")
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    times = struct.pack(">IIIII", 0, 0, 0, 1000, seconds * 1000)
    header = times + struct.pack(">IHH", 0x10000, 0x0100, 0) + bytes(8) + matrix + bytes(24) + struct.pack(">I", 1)
    note = _box(b"free", b"Claid sandbox: " + text.encode("utf-8", "replace"))
    return brand + _box(b"moov", _box(b"mvhd", header)) + note


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content
