"""A spend limit of a test's own, counted in a real Redis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

import redis

from airflow_claid.client.spending.limits import SpendLimit
from airflow_claid.client.spending.spending import Held, Spending
from airflow_claid.errors import SpendLimitError

BASE_URL = "https://api.claid.ai/v1"


@dataclass
class Limited:
    """A limit with a name of its own, and the time of the test."""

    url: str
    limit: SpendLimit
    time: datetime = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
    used: list[float] = field(default_factory=list)

    def spending(self, who: str = "shop.lamps", *more: SpendLimit, base_url: str = BASE_URL) -> Spending:
        return Spending(
            [self.limit, *more],
            self.url,
            base_url,
            who,
            used=lambda limit, used: self.used.append(used) if limit is self.limit else None,
            now=lambda: self.time,
            sleep=lambda seconds: None,
        )

    @property
    def left(self) -> float:
        """How many credits could be spent now, found by spending them one at a time, and giving them back."""
        spending, held = self.spending(), list[Held]()
        try:
            while True:
                held.append(spending.reserve(uuid.uuid4().hex, "'A lamp'", 1))
        except SpendLimitError:
            for one in held:
                spending.end(one, charged=False)
        return len(held)


@contextmanager
def limit_of_ten(url: str) -> Iterator[Limited]:
    """Yield a limit of ten credits a day, and remove its traces from the Redis at the end."""
    limit = SpendLimit(f"shop-{uuid.uuid4().hex}", 10)
    yield Limited(url, limit)
    forget(url, limit.name)


def forget(url: str, name: str) -> None:
    """Remove what a Redis counts under a name."""
    server = redis.Redis.from_url(url)
    for counter in server.scan_iter(f"airflow-claid/spending/*{name}*", count=1000):
        server.delete(counter)
