"""A chart of credits by day, as the coordinates of bars; the page draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

_SERIES = 6
_OTHERS = "others"
WIDTH, HEIGHT = 1000.0, 200.0
_GAP = 0.24
_WIDEST = 56.0


@dataclass(frozen=True)
class Part:
    """A part of a bar: the credits of one series on one day."""

    series: int
    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Chart:
    """A chart.

    :param names: of the series, the most expensive first.
    :param parts: of all bars.
    :param top: the credits at the upper edge.
    :param days: the first, the middle and the last.
    """

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    top: float
    days: tuple[date, ...]


def chart_of(days: Sequence[date], credits_by_day: Mapping[str, Mapping[date, float]]) -> Chart | None:
    """Return the chart of these days; ``None`` if nothing was paid."""
    totals = {name: sum(of_one.values()) for name, of_one in credits_by_day.items()}
    ordered = sorted((name for name, total in totals.items() if total > 0), key=lambda name: (-totals[name], name))
    if not ordered:
        return None
    shown, rest = ordered[:_SERIES], ordered[_SERIES:]
    series = [(name, credits_by_day[name]) for name in shown]
    if rest:
        others = {day: sum(credits_by_day[name].get(day, 0.0) for name in rest) for day in days}
        series.append((f"{len(rest)} {_OTHERS}", others))
    top = _round_up(max(sum(of_one.get(day, 0.0) for _, of_one in series) for day in days))
    slot = WIDTH / len(days)
    width = min(slot * (1 - _GAP), _WIDEST)
    parts: list[Part] = []
    for place, day in enumerate(days):
        below = 0.0
        for number, (name, of_one) in enumerate(series):
            amount = max(0.0, of_one.get(day, 0.0))
            if not amount:
                continue
            height = HEIGHT * amount / top
            x = place * slot + (slot - width) / 2
            says = f"{day}: {name}, {amount:,g} credits"
            parts.append(Part(number, round(x, 2), round(HEIGHT - below - height, 2), round(width, 2), height, says))
            below += height
    marks = (days[0], days[len(days) // 2], days[-1]) if len(days) > 2 else tuple(days)
    return Chart(tuple(name for name, _ in series), tuple(parts), top, marks)


def _round_up(number: float) -> float:
    """Return the next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= number * 0.999999)
