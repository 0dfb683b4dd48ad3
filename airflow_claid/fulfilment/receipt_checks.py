"""What must hold of a receipt that comes from a file, which a person or another program may have changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_TEXT = ("fingerprint", "operation", "base_url", "subject", "output")
_NUMBERS = ("credits", "credits_in_doubt")
_COUNTS = ("edition", "lost_answers")
_TIMES = ("asked_at", "paid_at", "delivered_at")
_FINAL = ("delivered", "blocked")


def check(facts: Mapping[str, Any]) -> None:
    """Check the facts of a receipt as JSON holds them; a fact that is not there is not looked at.

    :raises ValueError: naming the first that is not what it must be.
    """
    for name in _TEXT:
        _expect(isinstance(facts.get(name, ""), str), name, facts, "a text")
    _expect(isinstance(facts.get("fallback_of"), (str, type(None))), "fallback_of", facts, "a text")
    for name in _NUMBERS:
        _expect(_is_number(facts.get(name, 0)), name, facts, "a number")
    for name in _COUNTS:
        _expect(type(facts.get(name, 0)) is int, name, facts, "a whole number")
    for name in _TIMES:
        _expect(_is_time(facts.get(name)), name, facts, "a time with its zone, such as 2026-10-01T10:00:00+00:00")
    _expect(isinstance(facts.get("body", {}), Mapping), "body", facts, "an object")
    if facts.get("state") in _FINAL:
        _expect(facts.get("images") != [], "images", facts, f"the pictures of a receipt that is {facts['state']}")


def _expect(holds: bool, name: str, facts: Mapping[str, Any], expected: str) -> None:
    if not holds:
        raise ValueError(f"its {name!r} is {facts[name]!r}, which is not {expected}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    if value is None:
        return True
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
