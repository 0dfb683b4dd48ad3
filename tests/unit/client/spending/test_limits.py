"""What a spend limit is: how it is written, and when its day or month begins and ends."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.spending.limits import SpendLimit, limits_of, strictest


def limits(value: object) -> tuple[SpendLimit, ...]:
    return limits_of(value, "spend_limit", "DAG shop")


@pytest.mark.parametrize(
    "value",
    [
        {"credits": 1000},
        {"credits": "1000", "per": "day"},
        {"credits": Decimal(1000), "timezone": None, "name": ""},
        "1000 per day",
        " 1000 credits per day ",
        "{'credits': 1000, 'per': 'day'}",
        '{"credits": 1000}',
        ["1000 per day"],
        '["1000 per day"]',
    ],
)
def test_a_limit_is_written_in_several_ways(value: object) -> None:
    assert limits(value) == (SpendLimit("DAG shop", 1000.0, "day", "UTC"),)


@pytest.mark.parametrize("value", [None, "", "None", []])
def test_no_limit(value: object) -> None:
    assert limits(value) == ()


def test_several_limits_hold_together() -> None:
    day, month = limits(["100 per day", {"credits": 1e3, "per": "month", "name": "shop", "timezone": "Asia/Tokyo"}])
    assert day == SpendLimit("DAG shop", 100, "day", "UTC")
    assert month == SpendLimit("shop", 1000, "month", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (1000, "such as .*per day"),
        ("1000", "such as"),
        ("1000 a fortnight", "such as"),
        ("1000 per week", "per='week' must be one of day, month"),
        ({"per": "day"}, "such as"),
        ({"credits": 1, "limit": 2}, "such as"),
        ({"credits": -1}, "credits=-1 must be"),
        ({"credits": "many"}, "credits='many' must be"),
        ({"credits": True}, "credits=True must be"),
        ({"credits": float("nan")}, "credits=nan must be"),
        ({"credits": 1, "timezone": "Mars/Olympus"}, "timezone='Mars/Olympus' is not known"),
        ({"credits": 1, "timezone": "../etc/passwd"}, "is not known"),
        ({"credits": 1, "name": "a\nb"}, "name must be printable"),
        ("{'credits': ", "such as"),
    ],
)
def test_what_is_no_limit_is_refused_with_the_remedy(value: object, remedy: str) -> None:
    with pytest.raises(ClaidValidationError, match=remedy) as refused:
        limits(value)
    assert str(refused.value).startswith("spend_limit=")


@pytest.mark.parametrize(
    ("per", "zone", "now", "label", "ends"),
    [
        ("day", "UTC", "2026-11-26T23:59:59+00:00", "2026-11-26", "2026-11-27T00:00:00+00:00"),
        ("day", "Europe/Berlin", "2026-11-26T23:00:00+00:00", "2026-11-27", "2026-11-28T00:00:00+01:00"),
        ("day", "Europe/Berlin", "2026-10-25T12:00:00+00:00", "2026-10-25", "2026-10-26T00:00:00+01:00"),
        ("month", "UTC", "2026-12-31T23:59:59+00:00", "2026-12", "2027-01-01T00:00:00+00:00"),
        ("month", "Asia/Tokyo", "2026-01-31T15:00:00+00:00", "2026-02", "2026-03-01T00:00:00+09:00"),
    ],
)
def test_a_period_begins_at_midnight_of_its_timezone(per: str, zone: str, now: str, label: str, ends: str) -> None:
    period = SpendLimit("shop", 1, per, zone).period(datetime.fromisoformat(now))
    assert (period.label, period.ends) == (label, datetime.fromisoformat(ends))
    assert period.ends.utcoffset() == datetime.fromisoformat(ends).utcoffset()
    assert SpendLimit("shop", 1, per, zone).period(period.ends.astimezone(timezone.utc)).label > label


def test_of_limits_that_count_the_same_the_strictest_holds() -> None:
    low, high, other = SpendLimit("shop", 10), SpendLimit("shop", 20), SpendLimit("shop", 30, "month")
    assert set(strictest([low, high, other])) == set(strictest([high, low, other])) == {low, other}
