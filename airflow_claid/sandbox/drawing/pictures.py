"""Pictures drawn from prompts: the same prompt and number always give the same picture, no two prompts look alike."""

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

_FINER = 2


@dataclass(frozen=True)
class Recipe:
    """All that is needed to draw a picture.

    :param prompt: what is drawn and written on it.
    :param number: 1 for the first picture of a request.
    :param count: pictures in the request.
    :param width: pixels.
    :param height: pixels.
    :param blocked: a plain black picture instead, as from Claid's content filter.
    :param kind: small print beside the number; ``sandbox`` by default.
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
        """Return the recipes of all pictures of the request."""
        return [self.numbered(number) for number in range(1, self.count + 1)]


def is_blocked(prompt: str, words: Iterable[str]) -> bool:
    """Tell whether a prompt holds one of the blocked words, whole, in any case."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) for word in words if word)


def draw(recipe: Recipe, *, lettered: bool = True) -> Image.Image:
    """Draw a recipe's picture (RGB), with the prompt on it unless told not to."""
    if recipe.blocked:
        return Image.new("RGB", (recipe.width, recipe.height))
    side = max(64, min(recipe.width, recipe.height, 1024))
    picture = _scene(recipe, side)
    if (recipe.width, recipe.height) != picture.size:
        picture = picture.resize((recipe.width, recipe.height), Image.Resampling.BICUBIC)
    if lettered:
        letter(picture, recipe)
    return picture


def png(recipe: Recipe) -> bytes:
    """Draw a recipe's picture as PNG bytes."""
    return encode_png(draw(recipe))


def encode_png(picture: Image.Image) -> bytes:
    """Write a PNG, rather fast than small."""
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.getvalue()


def _scene(recipe: Recipe, side: int) -> Image.Image:
    """Draw the motif of a prompt: its hash chooses motif and colours, the number varies them."""
    seed = int.from_bytes(hashlib.sha256(recipe.prompt.encode("utf-8", "replace")).digest()[:8], "big")
    chance = random.Random(seed)  # noqa: S311 - pictures are no secrets
    palette = Palette(chance)
    motif = chance.choice(MOTIFS)
    varied = random.Random(seed * 31 + recipe.number)  # noqa: S311
    fine = side * _FINER
    top, bottom = palette.tone(0, 0.78, 0.55), palette.tone(1, 0.9, 0.5)
    column = Image.new("RGB", (1, 96))
    for row in range(96):
        share = row / 95
        column.putpixel((0, row), _between(top, bottom, share))
    picture = column.resize((fine, fine), Image.Resampling.NEAREST)
    motif(Stage(ImageDraw.Draw(picture), fine, palette, varied))
    return picture.reduce(_FINER)


def _between(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(one + (other - one) * share) for one, other in zip(first, second, strict=True))
    return red, green, blue


def letter(picture: Image.Image, recipe: Recipe) -> None:
    """Write the prompt on a panel below, and the picture's number above."""
    wide, high = picture.size
    side = min(wide, high)
    if side < 96:
        return
    brush = ImageDraw.Draw(picture, "RGBA")
    edge = side * 0.045
    sizes = [max(8, round(side * share)) for share in (0.052, 0.044, 0.036, 0.03, 0.025, 0.021)]
    size, lines = text.fit(recipe.prompt, sizes, wide - edge * 4, high * 0.34)
    tall = len(lines) * size * 1.25 + edge * 1.3
    top = high - edge - tall
    brush.rounded_rectangle((edge, top, wide - edge, high - edge), radius=side * 0.03, fill=(16, 18, 24, 215))
    for row, line in enumerate(lines):
        place = (edge * 2, top + edge * 0.55 + row * size * 1.25)
        text.write(brush, place, line, size, (255, 255, 255))
    small = max(8, round(side * 0.024))
    caption = f"{recipe.number} of {recipe.count}   {recipe.kind}"
    chip = text.width(caption, small) + small * 1.6
    brush.rounded_rectangle((edge, edge, edge + chip, edge + small * 1.9), radius=small, fill=(16, 18, 24, 190))
    text.write(brush, (edge + small * 0.8, edge + small * 0.3), caption, small, (255, 255, 255))
