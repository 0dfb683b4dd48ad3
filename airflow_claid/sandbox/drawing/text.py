"""Write text on pictures with Pillow's built-in font, which has no accents: this module draws them.

A letter that the font lacks, and that is not a letter of the font with an accent, becomes a tile with its code point.
So different prompts always look different.
"""

# ruff: noqa: RUF001 - this file is about letters that look alike

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LOOKALIKES = {
    "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ß": "ss", "ı": "i", "–": "-", "—": "-", "‐": "-", "−": "-",
    "„": "“", "‚": "’", "×": "x", "·": "·", "•": "·", "€": "EUR", "£": "GBP", "¿": "?", "¡": "!",
}  # fmt: skip
_LETTERS_WITH_STROKE = {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "ħ": "h", "Ħ": "H"}
_STRIKE = "\u0338"
_STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "\u0300": [[(-0.35, 0), (0.15, 1)]],
    "\u0301": [[(0.35, 0), (-0.15, 1)]],
    "\u0302": [[(-0.5, 1), (0, 0), (0.5, 1)]],
    "\u0303": [[(-0.6, 0.9), (-0.25, 0.2), (0.25, 0.8), (0.6, 0.1)]],
    "\u0304": [[(-0.5, 0.5), (0.5, 0.5)]],
    "\u0306": [[(-0.5, 0), (-0.3, 0.7), (0, 0.9), (0.3, 0.7), (0.5, 0)]],
    "\u030a": [[(-0.3, 0.5), (0, 0), (0.3, 0.5), (0, 1), (-0.3, 0.5)]],
    "\u030b": [[(-0.1, 0), (-0.45, 1)], [(0.5, 0), (0.15, 1)]],
    "\u030c": [[(-0.5, 0), (0, 1), (0.5, 0)]],
}
_DOTS: dict[str, tuple[float, ...]] = {"\u0307": (0.0,), "\u0308": (-0.42, 0.42)}
_BELOW = {"\u0327", "\u0328", "\u0326", "\u0323"}


@dataclass(frozen=True)
class Glyph:
    """The drawing of one letter: ``base`` from the font with accents, or a tile if the font lacks the letter."""

    base: str
    marks: tuple[str, ...] = ()
    tile: str | None = None


@lru_cache(maxsize=32)
def font(size: int) -> Font:
    """Return Pillow's built-in font at a size in pixels."""
    return ImageFont.load_default(size=size)


@lru_cache(maxsize=4096)
def _is_in_font(letter: str) -> bool:
    probe = font(24)
    mask, unknown = probe.getmask(letter), probe.getmask("\uffff")
    return letter == " " or mask.size != unknown.size or bytes(mask) != bytes(unknown)


@lru_cache(maxsize=4096)
def glyph_of(letter: str) -> Glyph:
    """Return the drawing of a letter."""
    if letter.isspace():
        return Glyph(" ")
    if _is_in_font(letter):
        return Glyph(letter)
    if letter in _LOOKALIKES:
        return Glyph(_LOOKALIKES[letter])
    if letter in _LETTERS_WITH_STROKE:
        return Glyph(_LETTERS_WITH_STROKE[letter], (_STRIKE,))
    parts = unicodedata.normalize("NFKD", letter)
    if _is_in_font(parts[0]) and all(mark in _STROKES or mark in _DOTS or mark in _BELOW for mark in parts[1:]):
        return Glyph(parts[0], tuple(parts[1:]))
    return Glyph("", tile=f"{ord(letter):04X}")


def glyphs(text: str) -> list[Glyph]:
    """Return the drawing of each letter of a text."""
    return [glyph_of(letter) for letter in unicodedata.normalize("NFC", text)]


@lru_cache(maxsize=8192)
def _advance(glyph: Glyph, size: int) -> float:
    return size * 0.9 if glyph.tile else font(size).getlength(glyph.base)


def width(text: str, size: int) -> float:
    """Return the width of one line in pixels."""
    return sum(_advance(glyph, size) for glyph in glyphs(text))


def wrap(text: str, size: int, max_width: float) -> list[str]:
    """Break text into lines of at most ``max_width`` pixels. A word is broken only if it is longer than a line."""
    lines, used, space = [""], 0.0, width(" ", size)
    for word in text.split():
        word_width = width(word, size)
        if not lines[-1] or used + space + word_width <= max_width:
            used += word_width + (space if lines[-1] else 0)
            lines[-1] = f"{lines[-1]} {word}".lstrip()
        else:
            lines.append(word)
            used = word_width
        while used > max_width and len(lines[-1]) > 1:
            kept = _fitting_letters(lines[-1], size, max_width)
            lines[-1:] = [lines[-1][:kept], lines[-1][kept:]]
            used = width(lines[-1], size)
    return lines


def _fitting_letters(line: str, size: int, max_width: float) -> int:
    """Return how many letters of a line, at least one, fit into ``max_width`` pixels."""
    used = 0.0
    for count, letter in enumerate(line):
        used += width(letter, size)
        if used > max_width:
            return max(1, count)
    return len(line)


def fit(text: str, sizes: list[int], max_width: float, height: float, spacing: float = 1.25) -> tuple[int, list[str]]:
    """Return the largest of ``sizes`` at which the text fits, and its lines. At the smallest, cut the text."""
    for size in sizes:
        lines = wrap(text, size, max_width)
        if len(lines) * size * spacing <= height:
            return size, lines
    count = max(1, int(height // (size * spacing)))
    return size, [*lines[: count - 1], lines[count - 1][:-1] + "…"]


def write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, colour: Colour) -> None:
    """Draw one line of text with its upper left corner at ``place``."""
    x, y = place
    run, start = "", x
    for glyph in glyphs(text):
        if glyph.tile:
            draw.text((start, y), run, fill=colour, font=font(size))
            _tile(draw, (x, y), glyph.tile, size, colour)
            x += _advance(glyph, size)
            run, start = "", x
            continue
        advance = _advance(glyph, size)
        for level, mark in enumerate(glyph.marks):
            raised = y - level * size * 0.17 if level and glyph.marks[0] not in _BELOW else y
            _mark(draw, (x + advance / 2, raised), glyph.base, mark, size, colour)
        run += glyph.base
        x = start + font(size).getlength(run)
    draw.text((start, y), run, fill=colour, font=font(size))


def _tile(draw: ImageDraw.ImageDraw, place: tuple[float, float], code: str, size: int, colour: Colour) -> None:
    x, y = place
    box = (x + size * 0.06, y + size * 0.18, x + size * 0.84, y + size * 1.04)
    draw.rounded_rectangle(box, radius=size * 0.1, outline=colour, width=max(1, size // 22))
    half = (len(code) + 1) // 2
    small = max(6, int(size * 0.36))
    for row, part in enumerate((code[:half], code[half:])):
        left = x + size * 0.45 - font(small).getlength(part) / 2
        draw.text((left, y + size * (0.18 + 0.4 * row)), part, fill=colour, font=font(small))


def _mark(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], base: str, mark: str, size: int, colour: Colour
) -> None:
    middle, top = place
    box = font(size).getbbox(base)
    unit, thick = size * 0.2, max(1, round(size * 0.07))
    if mark == _STRIKE:
        height = (box[1] + box[3]) / 2
        draw.line(
            [(middle - unit, top + height + unit), (middle + unit, top + height - unit)], fill=colour, width=thick
        )
    elif mark in _BELOW:
        start = top + box[3]
        draw.line([(middle, start), (middle + unit * 0.3, start + unit * 0.5), (middle - unit * 0.3, start + unit)],
                  fill=colour, width=thick, joint="curve")  # fmt: skip
    else:
        start = top + (box[1] - unit * 1.25 if base not in "ij" else box[1] - unit * 0.2)
        for across in _DOTS.get(mark, ()):
            x, y, radius = middle + across * unit, start + unit * 0.45, max(1.0, size * 0.055)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        for stroke in _STROKES.get(mark, ()):
            points = [(middle + across * unit, start + down * unit) for across, down in stroke]
            draw.line(points, fill=colour, width=thick, joint="curve")
