"""How much of each spend limit is used now, for whoever looks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_claid.client.quota.store import shown_address
from airflow_claid.client.spending.limits import SpendLimit
from airflow_claid.client.spending.spending import beginning_of, counts_at
from airflow_claid.errors import SpendStoreError

_NAME = re.compile(
    r"(?P<per>day|month)/(?P<timezone>.+?)/(?P<label>[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)/(?P<name>.*)", re.DOTALL
)


@dataclass(frozen=True)
class Standing:
    """A spend limit in its present day or month.

    :param limit: what it is; its ``credits`` are what the latest request under it said.
    :param period: the day or month, as ``2026-11-26`` or ``2026-11``.
    :param spent: credits that were charged, or may have been.
    :param reserved: credits of requests without an answer.
    :param opens_at: when the next day or month begins.
    :param by: credits of each task, as ``DAG.TASK``, spent or reserved.
    """

    limit: SpendLimit
    period: str
    spent: float
    reserved: float
    opens_at: datetime
    by: Mapping[str, float]

    @property
    def used(self) -> float:
        """Credits that are spent or reserved."""
        return self.spent + self.reserved

    @property
    def is_reached(self) -> bool:
        """Whether nothing more may be spent."""
        return self.used >= self.limit.credits


def standings(url: str, base_url: str, own: Sequence[SpendLimit], now: datetime) -> list[Standing]:
    """Return all spend limits that are counted in a Redis in their present day or month.

    :param url: of the Redis.
    :param base_url: of Claid or of a sandbox.
    :param own: limits that are listed also if nothing is counted yet.
    :param now: the time.
    :raises SpendStoreError: if the Redis cannot be reached; the error does not hold its password.
    :raises ClaidValidationError: if the library for Redis is missing.
    """
    beginning = beginning_of(base_url)
    counts = counts_at(url.strip(), own[0].name if own else "")
    try:
        counted = counts.all(beginning)
    except Exception as error:
        raise SpendStoreError(
            f"The Redis {shown_address(url.strip())} (quota_store) that counts the spend limits cannot be reached "
            f"({type(error).__name__})"
        ) from error
    found: dict[tuple[str, str, str], Standing] = {}
    for limit in own:
        period = limit.period(now)
        found[limit.name, limit.per, limit.timezone] = Standing(limit, period.label, 0.0, 0.0, period.ends, {})
    for name, one in counted.items():
        limit_and_label = _read(name.removeprefix(beginning), one.allowed)
        if limit_and_label is None:
            continue
        limit, label = limit_and_label
        period = limit.period(now)
        if period.label == label:
            standing = Standing(limit, label, one.spent, one.reserved, period.ends, one.by)
            found[limit.name, limit.per, limit.timezone] = standing
    return sorted(found.values(), key=lambda each: (each.limit.name, each.limit.per, each.limit.timezone))


def _read(name: str, allowed: float | None) -> tuple[SpendLimit, str] | None:
    """Return the limit that a name is of, and its period; ``None`` for a name that is not ours."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        return None
    limit = SpendLimit(parts["name"], float("inf") if allowed is None else allowed, parts["per"], parts["timezone"])
    try:
        limit.period(datetime.fromtimestamp(0))
    except (OSError, ValueError, LookupError):
        return None
    return limit, parts["label"]
