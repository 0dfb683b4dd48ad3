"""The text of a receipt's file: its states, the last of which counts."""

from __future__ import annotations

import json
import logging
from typing import Any

log: logging.Logger = logging.getLogger(__name__)

_BEGIN, _END = b"\n{", b"}\n"
"""The begin and end of a state in a receipt's file; no line inside a state begins or ends like this."""

_PADDING = b"\0 \t\r\n"
"""What a loss of power, or a network file system, may leave behind a state."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n ", ": ")).encode


def encoded(state: dict[str, Any]) -> bytes:
    """Return a state as JSON with one field a line; ``indent`` would cost several times as much."""
    return _encode(state).encode() + _END[1:]


def last_state(content: bytes) -> Any:
    """Return the last complete state in a receipt's file; blanks and NULs behind it do not count.

    An incomplete last state was being appended when its process died; it is ignored, and the one before it counts.

    :raises ValueError: if there is none, or the last complete one is not JSON.
    """
    rest = content
    while True:
        before, begin, last = rest.rpartition(_BEGIN)
        state = last.rstrip(_PADDING)
        try:
            return json.loads((begin + state).decode())
        except ValueError as error:
            is_complete = state.endswith(_END[:1]) and last[len(state) :].startswith(_END[1:])
            has_more = isinstance(error, json.JSONDecodeError) and error.msg == "Extra data"
            if not before or is_complete or has_more:
                raise
        log.warning(
            "The last state in a receipt is incomplete: its process died while appending it. Using the one before"
        )
        rest = before
