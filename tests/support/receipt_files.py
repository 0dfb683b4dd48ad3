"""Receipts' files, read without the code that is tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def last_state(file: Path) -> dict[str, Any]:
    """Return the last state in a receipt's file."""
    state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8").split("\n\n")[-1])
    return state
