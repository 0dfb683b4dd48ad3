"""Dotted paths into a JSON answer: ``data.output.0.tmp_url``; ``*`` stands for all items of a list."""

from __future__ import annotations

from typing import Any

Place = tuple[str | int, ...]
"""One place in an answer: names of fields and numbers of list items."""


def parts_of(path: str) -> list[str]:
    """Split a path; the empty path is the whole answer. Raise ``ValueError`` for an empty part."""
    parts = path.split(".") if path else []
    if "" in parts:
        raise ValueError(f"The path {path!r} has an empty part; write it as data.output.0.tmp_url.")
    return parts


def find(answer: Any, path: str) -> list[Place]:
    """Return the places that a path leads to. There are several only if it contains ``*``."""
    found: list[tuple[Place, Any]] = [((), answer)]
    for part in parts_of(path):
        found = [((*place, key), item) for place, value in found for key, item in _items(value, part)]
    return [place for place, _ in found]


def _items(value: Any, part: str) -> list[tuple[str | int, Any]]:
    """Return what one part of a path selects."""
    if isinstance(value, dict):
        return [(part, value[part])] if part in value else []
    if isinstance(value, list) and part == "*":
        return list(enumerate(value))
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return [(int(part), value[int(part)])]
    return []


def get(answer: Any, place: Place) -> Any:
    """Return the value at a place."""
    for key in place:
        answer = answer[key]
    return answer


def put(answer: Any, place: Place, value: Any) -> Any:
    """Return the answer with a value at a place; missing objects and lists on the way are made."""
    if not place:
        return value
    key, rest = place[0], place[1:]
    if isinstance(key, int):
        items = answer if isinstance(answer, list) else []
        items.extend([None] * (key + 1 - len(items)))
        items[key] = put(items[key], rest, value)
        return items
    fields = answer if isinstance(answer, dict) else {}
    fields[key] = put(fields.get(key), rest, value)
    return fields


def remove(answer: Any, place: Place) -> Any:
    """Return the answer without the field or list item at a place; None without the whole answer."""
    if not place:
        return None
    holder = get(answer, place[:-1])
    del holder[place[-1]]
    return answer


def concrete(path: str, numbers: list[int]) -> Place:
    """Return the place of a path whose ``*`` have these numbers."""
    left = iter(numbers)
    return tuple(next(left) if part == "*" else int(part) if part.isdecimal() else part for part in parts_of(path))


def numbers_of(path: str, place: Place) -> list[int]:
    """Return the numbers that the ``*`` of a path have at a place."""
    return [int(key) for part, key in zip(parts_of(path), place, strict=True) if part == "*"]
