from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from airflow_claid.client.values import is_visible, plain, stands_for_nothing, written_out


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (True, True),
        (7, 7),
        (7.5, 7.5),
        (Decimal("1001"), 1001),
        (Decimal("1001.00"), 1001),
        (Decimal("12345678901234567890"), 12345678901234567890),
        (Decimal("7.5"), 7.5),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (float("nan"), None),
        (np.int64(2), 2),
        (np.float32(7.5), 7.5),
        (np.float64("nan"), None),
        (np.datetime64("2026-03-01"), "2026-03-01"),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2026-03-01"), "2026-03-01"),
        (pd.Timestamp("2026-03-01 10:30"), "2026-03-01T10:30:00"),
        ("Größe".encode(), "Größe"),
        (bytearray(b"lamp"), "lamp"),
        (memoryview(b"lamp"), "lamp"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, tzinfo=timezone.utc), "2026-03-01"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (["a"], ["a"]),
    ],
)
def test_a_warehouses_value_becomes_one_of_pythons(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        plain(b"Caf\xe9")


def test_an_infinite_decimal_stays_a_number() -> None:
    assert plain(Decimal("inf")) == float("inf")


@pytest.mark.parametrize("text", ["None", "nan", "NaN", "null", "NULL", "undefined", " <NA> ", "#N/A", "#REF!"])
def test_what_becomes_of_an_empty_value_stands_for_nothing(text: str) -> None:
    assert stands_for_nothing(text)


@pytest.mark.parametrize("text", ["Nan bread", "a null hypothesis", "101", "Noned", "Nana"])
def test_a_description_stands_for_something(text: str) -> None:
    assert not stands_for_nothing(text)


@pytest.mark.parametrize("character", list("\u200b\u200d\ufeff\u00ad\u2060\u3164\u2800\u034f\ufe0f\0\x1f\U000e0041"))
def test_an_invisible_character_does_not_show(character: str) -> None:
    assert not is_visible(character)


@pytest.mark.parametrize("character", list("aß自🚲́٣!"))
def test_letters_marks_and_pictures_show(character: str) -> None:
    assert is_visible(character)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"width": 800}', {"width": 800}),
        ("{'width': 800, 'crop': True, 'x': None}", {"width": 800, "crop": True, "x": None}),
        (" ['a', 'b'] ", ["a", "b"]),
        ("jpeg", "jpeg"),
        ("{width: 800}", "{width: 800}"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_value_written_out_by_a_template_is_read(text: str, value: object) -> None:
    assert written_out(text) == value
