"""What a spend limit is: so many credits per day or month, under a name, in a time zone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.client.values import plain, written_out

PERIODS = ("day", "month")

_EXAMPLE = '{"credits": 1000, "per": "day"} or "1000 per day"'
_SHORT = re.compile(r"\s*(?P<credits>[0-9]+(?:\.[0-9]+)?)\s*(?:credits?\s*)?per\s+(?P<per>\w+)\s*")
_KEYS = {"credits", "per", "name", "timezone"}
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Period:
    """One day or month.

    :param label: ``2026-11-26`` or ``2026-11``.
    :param ends: when the next one begins.
    """

    label: str
    ends: datetime


@dataclass(frozen=True)
class SpendLimit:
    """A number of credits that may be spent in each day or month, by all who name the same limit.

    :param name: what counts together.
    :param credits: how many.
    :param per: ``"day"`` or ``"month"``.
    :param timezone: of the day or month, as the IANA names it.
    """

    name: str
    credits: float
    per: str = "day"
    timezone: str = "UTC"

    def period(self, now: datetime) -> Period:
        """Return the period in which a moment is."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        if self.per == "day":
            return Period(today.isoformat(), _midnight(today + timedelta(days=1), zone))
        next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        return Period(f"{today:%Y-%m}", _midnight(next_month, zone))

    def __str__(self) -> str:
        return f"{self.credits:g} credits per {self.per} ({self.name!r}, {self.timezone})"


def limits_of(value: object, where: str, default_name: str) -> tuple[SpendLimit, ...]:
    """Return the spend limits that a parameter or a setting holds: none, one, or a list.

    :param value: a dict, its text as JSON or as Python writes it, ``"1000 per day"``, or a list of these.
    :param where: the parameter, and where it stands, for errors.
    :param default_name: the name of a limit that has none.
    :raises ClaidValidationError: if it is something else.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return ()
    written = written_out(value) if isinstance(value, str) and value.strip()[:1] in ("[", "{") else value
    several = written if isinstance(written, (list, tuple)) else [written]
    return tuple(_limit_of(one, where, default_name) for one in several)


def strictest(limits: Sequence[SpendLimit]) -> tuple[SpendLimit, ...]:
    """Return each limit once: of those that count the same, the one that allows the fewest credits."""
    of_same: dict[tuple[str, str, str], SpendLimit] = {}
    for limit in sorted(limits, key=lambda one: -one.credits):
        of_same[limit.name, limit.per, limit.timezone] = limit
    return tuple(of_same.values())


def _limit_of(value: object, where: str, default_name: str) -> SpendLimit:
    shown = f"{where}={shortened(value)}"
    if isinstance(value, str) and (short := _SHORT.fullmatch(value)) is not None:
        value = short.groupdict()
    if not isinstance(value, Mapping) or "credits" not in value or not value.keys() <= _KEYS:
        raise ClaidValidationError(
            f"{shown} must be a spend limit such as {_EXAMPLE}; it may also have a name and a timezone"
        )
    per = value.get("per", "day")
    if per not in PERIODS:
        raise ClaidValidationError(f"{shown}: per={per!r} must be one of {', '.join(PERIODS)}")
    name = str(value.get("name") or default_name).strip()
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise ClaidValidationError(f"{shown}: name must be printable text of up to {_LONGEST_NAME} characters")
    return SpendLimit(name, _credits(value["credits"], shown), per, _timezone(value.get("timezone") or "UTC", shown))


def _credits(value: Any, shown: str) -> float:
    try:
        credits = float(str(plain(value)))  # noqa: A001 - Claid's own word
    except (TypeError, ValueError):
        credits = -1.0  # noqa: A001
    if isinstance(value, bool) or not 0 <= credits < 10**12:
        raise ClaidValidationError(f"{shown}: credits={value!r} must be a number of credits, 0 or more")
    return credits


def _timezone(value: object, shown: str) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (OSError, ValueError, LookupError):
        raise ClaidValidationError(
            f"{shown}: timezone={value!r} is not known here; name one of the IANA's, such as 'Europe/Berlin'"
        ) from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
