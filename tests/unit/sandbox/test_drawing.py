"""What is written on the pictures."""

# ruff: noqa: RUF001 - this file is about letters that look alike

from __future__ import annotations

import pytest
from PIL import Image, ImageChops, ImageDraw

from airflow_claid.sandbox.drawing import text

ALPHABETS = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßŒŠŸŽĄĆĘŁŃŚŹŻČĎĚŇŘŤŮŐŰĂÂÎȘȚĞİŞĐĦĀĒĪŪĢĶĻŅ",
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩάέήίόύώ",
    "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯІЇЄҐЂЈЉЊЋЏ",
    "€£¿¡«»„“”‘’–—…×·•°©®",
)


def drawn(line: str) -> Image.Image:
    picture = Image.new("RGB", (600, 60))
    text.write(ImageDraw.Draw(picture), (4, 4), line, 32, (255, 255, 255))
    return picture


def differ(first: str, second: str) -> bool:
    return ImageChops.difference(drawn(first), drawn(second)).getbbox() is not None


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_letters_are_drawn_by_the_font_and_not_as_tiles(alphabet: str) -> None:
    both_cases = alphabet + alphabet.lower()
    assert [letter for letter in text.letters(both_cases) if not text.is_in_font(letter)] == []


@pytest.mark.parametrize(("one", "other"), [("é", "e"), ("é", "è"), ("ł", "l"), ("ß", "ss"), ("œ", "oe"), ("–", "-")])
def test_letters_that_look_alike_look_different(one: str, other: str) -> None:
    assert differ(one, other)


def test_an_accent_of_its_own_is_drawn_as_the_letter_with_it() -> None:
    assert not differ("e\u0301", "é")
    assert text.width("e\u0301", 32) == text.width("é", 32)


@pytest.mark.parametrize("letter", ["🥐", "漢", "\ue000", "\x07"])
def test_a_letter_that_the_font_lacks_becomes_a_tile_of_its_own(letter: str) -> None:
    assert not text.is_in_font(letter)
    assert differ(letter, "")
    assert differ(letter, chr(ord(letter) + 1))
    assert text.width(letter, 100) == 90


def test_a_line_is_as_wide_as_it_says() -> None:
    line = "Crème brûlée 🥐 à côté"
    left, _, right, _ = drawn(line).getbbox() or (0, 0, 0, 0)
    assert abs(right - left - text.width(line, 32)) < 6
