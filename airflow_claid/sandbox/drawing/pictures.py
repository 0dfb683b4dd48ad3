"""Draw pictures from prompts. The same prompt and number give the same picture; different prompts look different."""

from __future__ import annotations

import hashlib
import io
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from airflow_claid.sandbox.drawing import text
from airflow_claid.sandbox.drawing.motifs import MOTIFS, Colour, Palette, Stage

_OVERSAMPLING = 2


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a picture.

    :param prompt: determines the motif, and is written on the picture.
    :param number: 1 for the first picture of a request.
    :param count: number of pictures of the request.
    :param width: pixels.
    :param height: pixels.
    :param blocked: whether it is plain black, as from Claid's content filter.
    :param kind: text beside the number; ``sandbox`` by default.
    """

    prompt: str
    number: int = 1
    count: int = 1
    width: int = 1024
    height: int = 1024
    blocked: bool = False
    kind: str = "sandbox"

    def numbered(self, number: int) -> Recipe:
        """Return the recipe of another picture of the same request."""
        return replace(self, number=number)

    def all(self) -> list[Recipe]:
        """Return the recipe of each picture of the request."""
        return [self.numbered(number) for number in range(1, self.count + 1)]


def is_blocked(prompt: str, words: Iterable[str]) -> bool:
    """Return whether a prompt contains one of the blocked words, as a whole word in any case."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) for word in words if word)


def draw(recipe: Recipe, *, with_text: bool = True) -> Image.Image:
    """Draw a picture (RGB), with the prompt on it by default."""
    if recipe.blocked:
        return Image.new("RGB", (recipe.width, recipe.height))
    side = max(64, min(recipe.width, recipe.height, 1024))
    picture = _draw_motif(recipe, side)
    if (recipe.width, recipe.height) != picture.size:
        picture = picture.resize((recipe.width, recipe.height), Image.Resampling.BICUBIC)
    if with_text:
        add_text(picture, recipe)
    return picture


def png(recipe: Recipe) -> bytes:
    """Draw a picture; return it as PNG."""
    return encode_png(draw(recipe))


def encode_png(picture: Image.Image) -> bytes:
    """Encode a PNG, optimised for speed and not for size."""
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.getvalue()


def _draw_motif(recipe: Recipe, side: int) -> Image.Image:
    """Draw the motif. The hash of the prompt selects motif and colours; the number varies the details."""
    seed = int.from_bytes(hashlib.sha256(recipe.prompt.encode("utf-8", "replace")).digest()[:8], "big")
    generator = random.Random(seed)  # noqa: S311 - pictures are no secrets
    palette = Palette(generator)
    motif = generator.choice(MOTIFS)
    varied_generator = random.Random(seed * 31 + recipe.number)  # noqa: S311
    fine_side = side * _OVERSAMPLING
    top, bottom = palette.tone(0, 0.78, 0.55), palette.tone(1, 0.9, 0.5)
    column = Image.new("RGB", (1, 96))
    for row in range(96):
        share = row / 95
        column.putpixel((0, row), _between(top, bottom, share))
    picture = column.resize((fine_side, fine_side), Image.Resampling.NEAREST)
    motif(Stage(ImageDraw.Draw(picture), fine_side, palette, varied_generator))
    return picture.reduce(_OVERSAMPLING)


def _between(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(start + (end - start) * share) for start, end in zip(first, second, strict=True))
    return red, green, blue


def add_text(picture: Image.Image, recipe: Recipe) -> None:
    """Write the prompt on a panel at the bottom, and the picture's number at the top."""
    width, height = picture.size
    side = min(width, height)
    if side < 96:
        return
    brush = ImageDraw.Draw(picture, "RGBA")
    margin = side * 0.045
    sizes = [max(8, round(side * share)) for share in (0.052, 0.044, 0.036, 0.03, 0.025, 0.021)]
    size, lines = text.fit(recipe.prompt, sizes, width - margin * 4, height * 0.34)
    panel_height = len(lines) * size * 1.25 + margin * 1.3
    top = height - margin - panel_height
    brush.rounded_rectangle((margin, top, width - margin, height - margin), radius=side * 0.03, fill=(16, 18, 24, 215))
    for row, line in enumerate(lines):
        place = (margin * 2, top + margin * 0.55 + row * size * 1.25)
        text.write(brush, place, line, size, (255, 255, 255))
    small_size = max(8, round(side * 0.024))
    caption = f"{recipe.number} of {recipe.count}   {recipe.kind}"
    label_width = text.width(caption, small_size) + small_size * 1.6
    brush.rounded_rectangle(
        (margin, margin, margin + label_width, margin + small_size * 1.9), radius=small_size, fill=(16, 18, 24, 190)
    )
    text.write(brush, (margin + small_size * 0.8, margin + small_size * 0.3), caption, small_size, (255, 255, 255))
