"""Claid's rate limits: the policies of each group of operations, and the ``RateLimit-*`` headers."""

from __future__ import annotations

import enum
import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

log: logging.Logger = logging.getLogger(__name__)

_LONGEST_RESET = 86_400.0
"""Seconds; a reset later than in a day is ignored, and so is a longer window."""

_MOST_REQUESTS = 1_000_000
_MOST_POLICIES = 10

_NUMBER = re.compile(r"\s*(-?[0-9]{1,9})\s*")
_SECONDS = re.compile(r"\s*(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*")
_POLICY = re.compile(r"\s*([0-9]{1,9})\s*;\s*w\s*=\s*([0-9]{1,9})\s*(?:;[^,]*)?")


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

DEFAULTS: dict[Group, tuple[Policy, ...]] = {
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
    def from_headers(cls, headers: Mapping[str, str], *, refused: bool = False) -> RateLimit:
        """Read the headers; one that is missing or unreadable becomes ``None`` or no policy.

        :param refused: whether the answer is a 429. Its ``Retry-After`` counts where there is no ``RateLimit-Reset``.
        """
        limit = headers.get("RateLimit-Limit", "")
        remaining = _integer(headers.get("RateLimit-Remaining"))
        reset = _seconds(headers.get("RateLimit-Reset"))
        if refused and reset is None:
            reset = _retry_after(headers)
            remaining = -1 if remaining is None and reset is not None else remaining
        return cls(policies_in(limit), remaining, reset, in_force=_integer(limit.partition(",")[0]))


def policies_in(text: str) -> tuple[Policy, ...]:
    """Parse policies such as ``120;w=60, 4;w=1``; skip what is unreadable, and what no quota can be."""
    policies: list[Policy] = []
    for part in text.split(",")[: _MOST_POLICIES + 1]:
        found = _POLICY.fullmatch(part)
        if found is None:
            continue
        requests, window = int(found[1]), int(found[2])
        if 0 < requests <= _MOST_REQUESTS and 0 < window <= _LONGEST_RESET:
            policies.append(Policy(requests, float(window)))
        else:
            log.debug("A policy of the quota is ignored: %d requests in %d s", requests, window)
    return tuple(policies)


def policies_text(policies: Iterable[Policy]) -> str:
    """Return policies as a text that :func:`policies_in` parses."""
    return ", ".join(f"{one.requests};w={one.window:g}" for one in policies)


def _integer(text: str | None) -> int | None:
    found = _NUMBER.fullmatch(text or "")
    return int(found[1]) if found else None


def _seconds(text: str | None) -> float | None:
    found = _SECONDS.fullmatch(text or "")
    if found is None or float(found[1]) > _LONGEST_RESET:
        return None
    return max(0.0, float(found[1]))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds in ``Retry-After``, which may be a date by the server's clock."""
    text = headers.get("Retry-After")
    seconds = _seconds(text)
    if text is None or seconds is not None:
        return seconds
    moment = _timestamp(text)
    if moment is None:
        return None
    now = _timestamp(headers.get("Date", ""))
    seconds = moment - (time.time() if now is None else now)
    return max(0.0, seconds) if seconds <= _LONGEST_RESET else None


def _timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except Exception:  # noqa: BLE001 - the parser of dates raises errors of many types
        return None
