"""Values as warehouses and data frames hand them on, and texts that stand for no value."""

from __future__ import annotations

import ast
import json
import math
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

_NO_VALUES = frozenset(
    [
        "None",
        "none",
        "NONE",
        "null",
        "Null",
        "NULL",
        "nan",
        "NaN",
        "NAN",
        "undefined",
        "<NA>",
        "NaT",
        "N/A",
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "#NULL!",
    ]
)
"""What Python, JSON, pandas, JavaScript and spreadsheets write for an empty value, and for a formula that failed."""

_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that show nothing although Unicode counts them among letters, marks and symbols."""


def plain(value: object) -> object:
    """Return a value as Python and JSON have it: text, number, ``None``; what is none of these stays as it is.

    Bytes become text, decimals and NumPy's scalars numbers, dates and UUIDs text (midnight is a date without a time);
    what pandas has for a missing value becomes ``None``.

    :raises ValueError: if bytes are not UTF-8.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode()
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (float, Decimal)):
        return _number(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, (date, UUID)):
        return value.isoformat() if isinstance(value, date) else str(value)
    return value


def _number(value: float | Decimal) -> object:
    """Return ``None`` for what is no number; a decimal without a fraction stays exact."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if value.is_nan():
        return None
    return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)


def stands_for_nothing(text: str) -> bool:
    """Whether a text is what becomes of an empty value: ``None``, ``nan``, ``null``, ``undefined``, ``#N/A``."""
    return text.strip() in _NO_VALUES


def is_visible(character: str) -> bool:
    """Whether a character shows: zero-width and other invisible ones, controls and variation selectors do not."""
    if character.isascii():
        return character.isprintable()
    return not (
        unicodedata.category(character) in ("Cc", "Cf", "Cn", "Cs")
        or character in _BLANK_LETTERS
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def holds_half_characters(text: str) -> bool:
    """Whether a text holds a lone surrogate, which UTF-8 cannot encode."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def written_out(text: str) -> object:
    """Return the value that a text writes out as JSON or as a Python literal; a text that does neither stays."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return text


def without_nulls(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts without those that are not known."""
    return {name: value for name, value in facts.items() if value is not None}
