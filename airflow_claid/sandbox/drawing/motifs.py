"""Motifs of drawn pictures: hills, a still life, a city, tiles, a sea, a plant; in harmonious colours."""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageDraw

Colour = tuple[int, int, int]


class Palette:
    """Harmonious colours: neighbours of one hue, and an accent from the opposite side of the colour wheel."""

    def __init__(self, generator: random.Random) -> None:
        self._hue = generator.random()
        self._turn = generator.choice((0.06, -0.06, 0.11, -0.11))
        self._accent = self._hue + generator.choice((0.42, 0.5, 0.58))

    def tone(self, step: float, lightness: float, strength: float = 0.5) -> Colour:
        """Return a neighbouring hue. ``step`` (0 to 1) moves along the colour wheel; ``lightness`` is 0 to 1."""
        return _rgb(self._hue + self._turn * step * 2, lightness, strength)

    def accent(self, lightness: float = 0.62, strength: float = 0.8) -> Colour:
        """Return the accent colour."""
        return _rgb(self._accent, lightness, strength)


def _rgb(hue: float, lightness: float, strength: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, strength)
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class Stage:
    """The canvas of a motif: a square of ``side`` pixels, with its palette and its random numbers."""

    draw: ImageDraw.ImageDraw
    side: int
    palette: Palette
    generator: random.Random

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle; lengths are from 0 to 1 of the side."""
        side = self.side
        box = ((x - radius) * side, (y - radius) * side, (x + radius) * side, (y + radius) * side)
        self.draw.ellipse(box, fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float = 0) -> None:
        """Fill a rectangle; lengths are from 0 to 1 of the side."""
        side = self.side
        self.draw.rounded_rectangle(
            (left * side, top * side, right * side, bottom * side), radius=radius * side, fill=colour
        )

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon; lengths are from 0 to 1 of the side."""
        self.draw.polygon([(x * self.side, y * self.side) for x, y in points], fill=colour)


def _hills(stage: Stage) -> None:
    """A sun over layered hills."""
    generator, palette = stage.generator, stage.palette
    x, y, radius = generator.uniform(0.2, 0.8), generator.uniform(0.17, 0.34), generator.uniform(0.07, 0.12)
    stage.disc(x, y, radius * 1.5, palette.accent(0.86, 0.7))
    stage.disc(x, y, radius, palette.accent(0.68, 0.9))
    for layer in range(5):
        share = layer / 4
        waves = [
            (generator.uniform(0.6, 2.2), generator.uniform(0, math.tau), generator.uniform(0.02, 0.06)) for _ in "123"
        ]
        points = [
            (step / 48, 0.42 + 0.11 * layer + sum(h * math.sin(f * math.tau * step / 48 + p) for f, p, h in waves))
            for step in range(49)
        ]
        stage.shape([*points, (1, 1), (0, 1)], palette.tone(share, 0.66 - 0.44 * share, 0.42))


def _still_life(stage: Stage) -> None:
    """Vessels and fruit on a table."""
    generator, palette = stage.generator, stage.palette
    stage.disc(generator.uniform(0.3, 0.7), 0.4, 0.3, palette.tone(0.6, 0.86, 0.6))
    stage.box(0, 0.62, 1, 1, palette.tone(0.9, 0.42, 0.4))
    stage.box(0, 0.62, 1, 0.635, palette.tone(0.9, 0.32, 0.4))
    slots = [0.2, 0.41, 0.61, 0.81]
    generator.shuffle(slots)
    for slot, kind in zip(slots, ("bottle", "bowl", "fruit", "vase"), strict=True):
        x, base = slot + generator.uniform(-0.02, 0.02), 0.64 + generator.uniform(0.0, 0.05)
        body = palette.tone(generator.random(), generator.uniform(0.35, 0.6), 0.5)
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
    generator, palette = stage.generator, stage.palette
    x, y = generator.uniform(0.2, 0.8), generator.uniform(0.15, 0.25)
    stage.disc(x, y, 0.085, palette.accent(0.84, 0.7))
    for layer, lightness in enumerate((0.68, 0.5, 0.3)):
        left = -0.02
        while left < 1:
            width = generator.uniform(0.09, 0.16)
            top = 0.3 + 0.1 * layer + generator.uniform(0, 0.16)
            stage.box(left, top, left + width - 0.006 * layer, 1, palette.tone(layer / 2, lightness, 0.35))
            if layer == 2:
                _windows(stage, left, top, width)
            left += width


def _windows(stage: Stage, left: float, top: float, width: float) -> None:
    for row in range(5):
        for column in range(3):
            if stage.generator.random() < 0.6:
                x, y = left + width * (0.16 + 0.26 * column), top + 0.03 + 0.06 * row
                stage.box(x, y, x + width * 0.15, y + 0.032, stage.palette.accent(0.8, 0.85))


def _tiles(stage: Stage) -> None:
    """Quarter circles and discs in a grid."""
    generator, palette = stage.generator, stage.palette
    cells = 4
    step = stage.side / cells
    for row in range(cells):
        for column in range(cells):
            background = palette.tone(generator.random(), generator.uniform(0.72, 0.92), 0.5)
            foreground = palette.accent() if generator.random() < 0.28 else palette.tone(generator.random(), 0.45, 0.5)
            left, top = column * step, row * step
            stage.draw.rectangle((left, top, left + step, top + step), fill=background)
            kind = generator.randrange(6)
            if kind < 4:
                x, y = ((left, top), (left + step, top), (left + step, top + step), (left, top + step))[kind]
                start = 90 * kind
                stage.draw.pieslice((x - step, y - step, x + step, y + step), start, start + 90, fill=foreground)
            else:
                inset = step * (0.18 if kind == 4 else 0.3)
                stage.draw.ellipse(
                    (left + inset, top + inset, left + step - inset, top + step - inset), fill=foreground
                )


def _sea(stage: Stage) -> None:
    """Boats on a sea of waves."""
    generator, palette = stage.generator, stage.palette
    stage.disc(generator.uniform(0.15, 0.85), generator.uniform(0.14, 0.26), 0.075, palette.accent(0.82, 0.8))
    crests = [(0.44 + 0.09 * layer, generator.uniform(0, math.tau)) for layer in range(5)]
    boats = {1: generator.uniform(0.2, 0.45), 2: generator.uniform(0.55, 0.8)}
    for layer, (level, phase) in enumerate(crests):
        share = layer / 4
        if layer in boats:
            _boat(stage, boats[layer], level - 0.015, 0.7 + 0.25 * layer)
        points = [
            (step / 96, level + 0.016 * math.sin((5 - 0.6 * layer) * math.tau * step / 96 + phase))
            for step in range(97)
        ]
        stage.shape([*points, (1, 1), (0, 1)], palette.tone(share, 0.6 - 0.36 * share, 0.48))


def _boat(stage: Stage, x: float, y: float, size: float) -> None:
    unit, palette = 0.1 * size, stage.palette
    stage.shape([(x - unit, y), (x + unit, y), (x + 0.7 * unit, y + 0.4 * unit), (x - 0.7 * unit, y + 0.4 * unit)],
                palette.tone(1, 0.22, 0.4))  # fmt: skip
    stage.box(x - 0.03 * unit, y - 2 * unit, x + 0.03 * unit, y, palette.tone(1, 0.22, 0.4))
    stage.shape([(x + 0.1 * unit, y - 2 * unit), (x + 0.1 * unit, y - 0.2 * unit), (x + 0.95 * unit, y - 0.2 * unit)],
                palette.accent(0.62, 0.75))  # fmt: skip
    stage.shape([(x - 0.1 * unit, y - 1.7 * unit), (x - 0.1 * unit, y - 0.2 * unit), (x - 0.75 * unit, y - 0.2 * unit)],
                palette.accent(0.8, 0.7))  # fmt: skip


def _plant(stage: Stage) -> None:
    """A plant in a pot, before an arch."""
    generator, palette = stage.generator, stage.palette
    stage.disc(0.5, 0.37, 0.31, palette.tone(0.7, 0.86, 0.55))
    stage.box(0.19, 0.37, 0.81, 0.72, palette.tone(0.7, 0.86, 0.55))
    stage.box(0, 0.7, 1, 1, palette.tone(0.9, 0.5, 0.35))
    for number in range(9):
        angle = math.pi * (0.1 + 0.1 * number) + generator.uniform(-0.08, 0.08)
        _leaf(
            stage,
            angle,
            generator.uniform(0.2, 0.33),
            palette.tone(generator.random(), generator.uniform(0.28, 0.46), 0.5),
        )
    stage.shape([(0.385, 0.52), (0.615, 0.52), (0.58, 0.76), (0.42, 0.76)], palette.accent(0.55, 0.6))
    stage.box(0.37, 0.5, 0.63, 0.545, palette.accent(0.47, 0.6), 0.01)


def _leaf(stage: Stage, angle: float, length: float, colour: Colour) -> None:
    """Fill a leaf that grows from the pot at an angle (0 is right, pi is left)."""
    along, across = (math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))
    edge = [(step / 12, 0.16 * math.sin(math.pi * step / 12) * length) for step in range(13)]
    both = [*edge, *[(share, -width) for share, width in reversed(edge)]]
    stage.shape(
        [
            (0.5 + along[0] * share * length + across[0] * width, 0.52 + along[1] * share * length + across[1] * width)
            for share, width in both
        ],
        colour,
    )


MOTIFS: tuple[Callable[[Stage], None], ...] = (_hills, _still_life, _city, _tiles, _sea, _plant)
