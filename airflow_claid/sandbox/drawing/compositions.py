"""Pictures composed of other pictures, and the placeholder of a video."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from PIL import Image, ImageOps

from airflow_claid.sandbox.drawing.encoding import flat
from airflow_claid.sandbox.drawing.pictures import Recipe, add_text, draw

Colour = tuple[int, int, int, int]


@dataclass(frozen=True)
class ProductPlacement:
    """Where a product is placed: its centre (0 to 1 of the picture's sides), scale (0 to 1) and rotation in degrees."""

    x: float = 0.5
    y: float = 0.5
    scale: float = 1.0
    rotation: float = 0.0


def size_of(ratio: str, side: int) -> tuple[int, int]:
    """Return the size with an aspect ratio such as ``16:9`` and, roughly, the pixels of a square of this side.

    Sides are multiples of 8.
    """
    width, height = (int(part) for part in ratio.split(":"))
    unit = side / (width * height) ** 0.5
    return max(8, round(width * unit / 8) * 8), max(8, round(height * unit / 8) * 8)


def ai_edit(picture: Image.Image, recipe: Recipe) -> Image.Image:
    """Return the picture tinted with the colours of the prompt, with the prompt on it (RGBA)."""
    if recipe.blocked:
        return draw(recipe).convert("RGBA")
    size = (recipe.width, recipe.height)
    background = ImageOps.fit(flat(picture), size)
    tinted = Image.blend(background, draw(recipe, with_text=False), 0.35)
    add_text(tinted, recipe)
    return tinted.convert("RGBA")


def fashion(garments: list[Image.Image], recipe: Recipe) -> Image.Image:
    """Return the picture of the prompt with all garments side by side on it (RGBA)."""
    background = draw(recipe).convert("RGBA")
    if recipe.blocked:
        return background
    width, height = recipe.width // max(2, len(garments)) - 24, recipe.height // 3
    for position, garment in enumerate(garments):
        small = ImageOps.contain(garment, (max(8, width), max(8, height)))
        centre = recipe.width * (2 * position + 1) // (2 * len(garments))
        background.alpha_composite(small, (max(0, centre - small.width // 2), recipe.height // 5))
    return background


def scene(product: Image.Image, recipe: Recipe, placement: ProductPlacement, colour: Colour | None) -> Image.Image:
    """Return the picture of the prompt, or a plain colour, with the product on it (RGBA)."""
    if recipe.blocked:
        return draw(recipe).convert("RGBA")
    size = (recipe.width, recipe.height)
    background = Image.new("RGBA", size, colour) if colour else draw(recipe).convert("RGBA")
    scale = max(0.02, placement.scale) * 0.5
    small = ImageOps.contain(product, (max(1, int(size[0] * scale)), max(1, int(size[1] * scale))))
    if placement.rotation:
        small = small.rotate(-placement.rotation, expand=True, resample=Image.Resampling.BICUBIC)
    layer = Image.new("RGBA", size)
    layer.paste(small, (int(size[0] * placement.x) - small.width // 2, int(size[1] * placement.y) - small.height // 2))
    background.alpha_composite(layer)
    return background


def placeholder_video(seconds: int, text: str) -> bytes:
    """Return a valid MP4 container that lasts ``seconds`` but has no frames, so that a player shows nothing."""
    brand = _box(b"ftyp", b"isom" + struct.pack(">I", 0x200) + b"isomiso2mp41")
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    times = struct.pack(">IIIII", 0, 0, 0, 1000, seconds * 1000)
    header = times + struct.pack(">IHH", 0x10000, 0x0100, 0) + bytes(8) + matrix + bytes(24) + struct.pack(">I", 1)
    note = _box(b"free", b"Claid sandbox: " + text.encode("utf-8", "replace"))
    return brand + _box(b"moov", _box(b"mvhd", header)) + note


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content
