"""Pictures drawn from prompts: the same prompt and number always give the same picture, no two prompts look alike."""

from __future__ import annotations

import colorsys
import hashlib
import io
import math
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from airflow_claid.sandbox import lettering

Colour = tuple[int, int, int]
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


class Palette:
    """Colours that go together: neighbours of one hue, and an accent from across the circle."""

    def __init__(self, chance: random.Random) -> None:
        self._hue = chance.random()
        self._turn = chance.choice((0.06, -0.06, 0.11, -0.11))
        self._accent = self._hue + chance.choice((0.42, 0.5, 0.58))

    def tone(self, step: float, lightness: float, strength: float = 0.5) -> Colour:
        """Return a neighbouring hue; ``step`` 0 to 1 goes along the circle, ``lightness`` is 0 to 1."""
        return _rgb(self._hue + self._turn * step * 2, lightness, strength)

    def accent(self, lightness: float = 0.62, strength: float = 0.8) -> Colour:
        """Return the hue from across the circle."""
        return _rgb(self._accent, lightness, strength)


def _rgb(hue: float, lightness: float, strength: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, strength)
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class Stage:
    """Where a motif is drawn: a square of ``side`` fine pixels, and where chance comes from."""

    draw: ImageDraw.ImageDraw
    side: int
    palette: Palette
    chance: random.Random
    number: int

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle; all lengths are shares of the side."""
        side = self.side
        box = ((x - radius) * side, (y - radius) * side, (x + radius) * side, (y + radius) * side)
        self.draw.ellipse(box, fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float = 0) -> None:
        """Fill a rectangle; all lengths are shares of the side."""
        side = self.side
        self.draw.rounded_rectangle(
            (left * side, top * side, right * side, bottom * side), radius=radius * side, fill=colour
        )

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon; all lengths are shares of the side."""
        self.draw.polygon([(x * self.side, y * self.side) for x, y in points], fill=colour)


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
    motif(Stage(ImageDraw.Draw(picture), fine, palette, varied, recipe.number))
    return picture.reduce(_FINER)


def _between(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(one + (other - one) * share) for one, other in zip(first, second, strict=True))
    return red, green, blue


def _hills(stage: Stage) -> None:
    """A sun over layered hills."""
    chance, palette = stage.chance, stage.palette
    x, y, radius = chance.uniform(0.2, 0.8), chance.uniform(0.17, 0.34), chance.uniform(0.07, 0.12)
    stage.disc(x, y, radius * 1.5, palette.accent(0.86, 0.7))
    stage.disc(x, y, radius, palette.accent(0.68, 0.9))
    for layer in range(5):
        share = layer / 4
        waves = [(chance.uniform(0.6, 2.2), chance.uniform(0, math.tau), chance.uniform(0.02, 0.06)) for _ in "123"]
        points = [
            (step / 48, 0.42 + 0.11 * layer + sum(h * math.sin(f * math.tau * step / 48 + p) for f, p, h in waves))
            for step in range(49)
        ]
        stage.shape([*points, (1, 1), (0, 1)], palette.tone(share, 0.66 - 0.44 * share, 0.42))


def _still_life(stage: Stage) -> None:
    """Vessels and fruit on a table."""
    chance, palette = stage.chance, stage.palette
    stage.disc(chance.uniform(0.3, 0.7), 0.4, 0.3, palette.tone(0.6, 0.86, 0.6))
    stage.box(0, 0.62, 1, 1, palette.tone(0.9, 0.42, 0.4))
    stage.box(0, 0.62, 1, 0.635, palette.tone(0.9, 0.32, 0.4))
    slots = [0.2, 0.41, 0.61, 0.81]
    chance.shuffle(slots)
    for slot, kind in zip(slots, ("bottle", "bowl", "fruit", "vase"), strict=True):
        x, base = slot + chance.uniform(-0.02, 0.02), 0.64 + chance.uniform(0.0, 0.05)
        body = palette.tone(chance.random(), chance.uniform(0.35, 0.6), 0.5)
        if kind == "bottle":
            stage.box(x - 0.055, base - 0.25, x + 0.055, base, body, 0.03)
            stage.box(x - 0.018, base - 0.36, x + 0.018, base - 0.2, body, 0.01)
            stage.box(x - 0.055, base - 0.15, x + 0.055, base - 0.06, palette.accent(0.85, 0.5))
        elif kind == "bowl":
            stage.disc(x, base - 0.1, 0.045, palette.accent(0.55))
            stage.disc(x + 0.05, base - 0.09, 0.04, palette.accent(0.66))
            stage.draw.pieslice(
                ((x - 0.11) * stage.side, (base - 0.2) * stage.side, (x + 0.11) * stage.side, base * stage.side),
                0, 180, fill=body,
            )  # fmt: skip
        elif kind == "fruit":
            stage.disc(x, base - 0.06, 0.065, palette.accent())
            stage.disc(x - 0.02, base - 0.08, 0.015, palette.accent(0.85))
            stage.shape([(x, base - 0.12), (x + 0.05, base - 0.17), (x + 0.06, base - 0.13)], palette.tone(0, 0.35))
        else:
            stage.shape(
                [(x - 0.035, base - 0.24), (x + 0.035, base - 0.24), (x + 0.075, base - 0.1), (x + 0.04, base),
                 (x - 0.04, base), (x - 0.075, base - 0.1)], body,
            )  # fmt: skip
            for lean in (-0.07, 0.0, 0.07):
                stage.shape([(x - 0.004, base - 0.23), (x + 0.004, base - 0.23), (x + lean, base - 0.38)], body)
                stage.disc(x + lean, base - 0.39, 0.032, palette.accent(0.6 + lean))


def _city(stage: Stage) -> None:
    """Houses under a moon."""
    chance, palette = stage.chance, stage.palette
    x, y = chance.uniform(0.2, 0.8), chance.uniform(0.15, 0.25)
    stage.disc(x, y, 0.085, palette.accent(0.84, 0.7))
    for layer, lightness in enumerate((0.68, 0.5, 0.3)):
        left = -0.02
        while left < 1:
            wide = chance.uniform(0.09, 0.16)
            top = 0.3 + 0.1 * layer + chance.uniform(0, 0.16)
            stage.box(left, top, left + wide - 0.006 * layer, 1, palette.tone(layer / 2, lightness, 0.35))
            if layer == 2:
                _windows(stage, left, top, wide)
            left += wide


def _windows(stage: Stage, left: float, top: float, wide: float) -> None:
    for row in range(5):
        for column in range(3):
            if stage.chance.random() < 0.6:
                x, y = left + wide * (0.16 + 0.26 * column), top + 0.03 + 0.06 * row
                stage.box(x, y, x + wide * 0.15, y + 0.032, stage.palette.accent(0.8, 0.85))


def _tiles(stage: Stage) -> None:
    """Quarter circles and discs in a grid."""
    chance, palette = stage.chance, stage.palette
    cells = 4
    step = stage.side / cells
    for row in range(cells):
        for column in range(cells):
            back = palette.tone(chance.random(), chance.uniform(0.72, 0.92), 0.5)
            front = palette.accent() if chance.random() < 0.28 else palette.tone(chance.random(), 0.45, 0.5)
            left, top = column * step, row * step
            stage.draw.rectangle((left, top, left + step, top + step), fill=back)
            kind = chance.randrange(6)
            if kind < 4:
                x, y = ((left, top), (left + step, top), (left + step, top + step), (left, top + step))[kind]
                start = 90 * kind
                stage.draw.pieslice((x - step, y - step, x + step, y + step), start, start + 90, fill=front)
            else:
                inset = step * (0.18 if kind == 4 else 0.3)
                stage.draw.ellipse((left + inset, top + inset, left + step - inset, top + step - inset), fill=front)


MOTIFS: tuple[Callable[[Stage], None], ...] = (_hills, _still_life, _city, _tiles)


def letter(picture: Image.Image, recipe: Recipe) -> None:
    """Write the prompt on a panel below, and the picture's number above."""
    wide, high = picture.size
    side = min(wide, high)
    if side < 96:
        return
    brush = ImageDraw.Draw(picture, "RGBA")
    edge = side * 0.045
    sizes = [max(8, round(side * share)) for share in (0.052, 0.044, 0.036, 0.03, 0.025, 0.021)]
    size, lines = lettering.fit(recipe.prompt, sizes, wide - edge * 4, high * 0.34)
    tall = len(lines) * size * 1.25 + edge * 1.3
    top = high - edge - tall
    brush.rounded_rectangle((edge, top, wide - edge, high - edge), radius=side * 0.03, fill=(16, 18, 24, 215))
    for row, line in enumerate(lines):
        place = (edge * 2, top + edge * 0.55 + row * size * 1.25)
        lettering.write(brush, place, line, size, (255, 255, 255))
    small = max(8, round(side * 0.024))
    caption = f"{recipe.number} of {recipe.count}   {recipe.kind}"
    chip = lettering.width(caption, small) + small * 1.6
    brush.rounded_rectangle((edge, edge, edge + chip, edge + small * 1.9), radius=small, fill=(16, 18, 24, 190))
    lettering.write(brush, (edge + small * 0.8, edge + small * 0.3), caption, small, (255, 255, 255))
