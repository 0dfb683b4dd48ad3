"""Values shortened for messages."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_claid.client.redaction import without_logins, without_queries

_SHOWN_CHARACTERS = 60
_SHOWN_ITEMS = 5


def shortened(value: object) -> str:
    """Return a value's repr for an error or a log line: links without login and query, and cut if it is long."""
    try:
        text = without_queries(without_logins(repr(value)))
    except ValueError:  # an integer of very many digits, which Python does not write out
        return f"(a {type(value).__name__})"
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    length = f" ({len(value)} characters)" if isinstance(value, str) else ""
    return f"{text[:_SHOWN_CHARACTERS]}…{length}"


def counted(number: float, noun: str) -> str:
    """Return a number with what is counted, as people read it: ``1 picture``, ``1,002.5 credits``."""
    amount = f"{number:,.2f}".rstrip("0").rstrip(".")
    return f"{amount} {noun}{'' if number == 1 else 's'}"


def listed(items: Sequence[object], separator: str = ", ") -> str:
    """Return the first few of many items, and how many more there are: no message grows with the size of a task."""
    shown = separator.join(map(str, items[:_SHOWN_ITEMS]))
    more = len(items) - _SHOWN_ITEMS
    return f"{shown}{separator}and {more:,} more" if more > 0 else shown
