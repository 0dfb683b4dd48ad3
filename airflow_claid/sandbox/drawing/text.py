"""Write text on pictures, with the accents of all Latin alphabets, Greek and Cyrillic.

A letter that the font lacks becomes a tile with its code point. So different prompts always look different.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib.resources import files
from itertools import groupby

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]
_FONT = str(files("font_source_sans_pro") / "files" / "SourceSansPro-Regular.ttf")


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font at a size in pixels."""
    return ImageFont.truetype(_FONT, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def is_in_font(letter: str) -> bool:
    """Return whether the font has a letter."""
    probe = font(24)
    mask, unknown = probe.getmask(letter), probe.getmask("\uffff")
    return letter.isspace() or mask.size != unknown.size or bytes(mask) != bytes(unknown)


def letters(text: str) -> str:
    """Return the letters of a text as they are drawn: each with its accents, each blank as a space."""
    return "".join(" " if letter.isspace() else letter for letter in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=8192)
def _advance(letter: str, size: int) -> float:
    return font(size).getlength(letter) if is_in_font(letter) else size * 0.9


def width(text: str, size: int) -> float:
    """Return the width of one line in pixels."""
    return sum(_advance(letter, size) for letter in letters(text))


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
    for known, group in groupby(letters(text), is_in_font):
        if known:
            run = "".join(group)
            draw.text((x, y), run, fill=colour, font=font(size))
            x += font(size).getlength(run)
            continue
        for letter in group:
            _tile(draw, (x, y), f"{ord(letter):04X}", size, colour)
            x += _advance(letter, size)


def _tile(draw: ImageDraw.ImageDraw, place: tuple[float, float], code: str, size: int, colour: Colour) -> None:
    x, y = place
    box = (x + size * 0.06, y + size * 0.18, x + size * 0.84, y + size * 1.04)
    draw.rounded_rectangle(box, radius=size * 0.1, outline=colour, width=max(1, size // 22))
    half = (len(code) + 1) // 2
    small = max(6, int(size * 0.36))
    for row, part in enumerate((code[:half], code[half:])):
        left = x + size * 0.45 - font(small).getlength(part) / 2
        draw.text((left, y + size * (0.18 + 0.4 * row)), part, fill=colour, font=font(small))
