"""Return whether an answer says that a job has ended, which the HTTP provider's trigger asks its user to define."""

from __future__ import annotations

from typing import Any


async def has_ended(response: Any) -> bool:
    """Return whether the job in an answer has ended."""
    return response.json()["data"]["status"] in ("DONE", "ERROR", "CANCELLED")
