"""What the HTTP provider's trigger needs from its user: whether an answer says that a job has ended."""

from __future__ import annotations

from typing import Any


async def has_ended(response: Any) -> bool:
    """Whether Claid has ended the job that an answer tells of."""
    return response.json()["data"]["status"] in ("DONE", "ERROR", "CANCELLED")
