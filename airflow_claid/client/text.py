"""Values as messages show them."""

from __future__ import annotations

_SHOWN_CHARACTERS = 60


def shortened(value: object) -> str:
    """Show a value in an error or a log line, cut where it is long."""
    text = repr(value)
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    length = f" ({len(value)} characters)" if isinstance(value, str) else ""
    return f"{text[:_SHOWN_CHARACTERS]}…{length}"
