"""Claid's rate limits: the policies of each group of operations, and the ``RateLimit-*`` headers."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

_LONGEST_RESET = 86_400.0
"""Seconds; a reset later than in a day is ignored."""

_POLICY = re.compile(r"(\d+);w=(\d+)")
_IN_FORCE = re.compile(r"\s*(\d+)\s*(?:,|$)")


class Group(enum.Enum):
    """Operations that share one quota of an account."""

    IMAGE = "image"
    AI_EDIT = "ai_edit"
    FASHION = "fashion"
    VIDEO = "video"
    STORAGE = "storage"


@dataclass(frozen=True)
class Policy:
    """At most ``requests`` in any ``window`` seconds."""

    requests: int
    window: float


DEFAULT_POLICIES = (Policy(120, 60), Policy(4, 1))
"""Claid's published default for an account; the headers of the first answer replace it."""

DEFAULTS = {
    Group.IMAGE: DEFAULT_POLICIES,
    Group.AI_EDIT: (Policy(60, 60), Policy(1, 1)),
    Group.FASHION: (Policy(60, 60), Policy(1, 1)),
    Group.VIDEO: (Policy(15, 60), Policy(1, 1)),
    Group.STORAGE: (),
}
"""Claid's published defaults. Storage operations have no quota."""


@dataclass(frozen=True)
class RateLimit:
    """The ``RateLimit-*`` headers of one answer.

    ``remaining`` refers to the policy ``in_force`` and is -1 once that is exceeded; ``reset`` is in seconds.
    """

    policies: tuple[Policy, ...]
    remaining: int | None
    reset: float | None
    in_force: int | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimit:
        """Read the headers; one that is missing or unreadable becomes ``None`` or no policy."""
        limit = headers.get("RateLimit-Limit", "")
        in_force = _IN_FORCE.match(limit)
        return cls(
            policies_in(limit),
            remaining=_integer(headers.get("RateLimit-Remaining")),
            reset=_seconds(headers.get("RateLimit-Reset")),
            in_force=int(in_force.group(1)) if in_force else None,
        )


def policies_in(text: str) -> tuple[Policy, ...]:
    """Parse policies such as ``120;w=60, 4;w=1``; skip what is unreadable."""
    return tuple(
        Policy(int(requests), float(window))
        for requests, window in _POLICY.findall(text)
        if int(requests) > 0 and int(window) > 0
    )


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text) if text is not None else None
    except ValueError:
        return None
    return max(0.0, seconds) if seconds is not None and seconds <= _LONGEST_RESET else None
