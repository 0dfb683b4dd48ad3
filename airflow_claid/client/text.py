"""Values shortened for messages."""

from __future__ import annotations

from airflow_claid.client.redaction import without_logins, without_queries

_SHOWN_CHARACTERS = 60


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
