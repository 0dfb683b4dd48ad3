"""Tell Airflow's own metrics (StatsD, OpenTelemetry) what a task pays for; see docs/metrics.md."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_claid.client.spending.limits import SpendLimit
from airflow_claid.fulfilment.receipt import Charge
from airflow_claid.orders.order import Order
from airflow_claid.version_compat import Stats

log: logging.Logger = logging.getLogger(__name__)

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")
"""What some of StatsD's dialects cannot have in the value of a tag."""


class TaskMetrics:
    """The metrics of one task: the :class:`.Events` that Airflow counts. Thread-safe; never raises.

    :param dag_id: of the task; ``task_id`` likewise.
    :param connection: the id of its Claid connection.
    """

    def __init__(self, dag_id: str, task_id: str, connection: str) -> None:
        self._connection = connection
        self._tags = {"dag_id": dag_id, "task_id": task_id, "connection": connection}
        self._lock = threading.Lock()
        self.pictures: int = 0
        """Usable pictures and videos that this process made or put in place."""
        self.lost_answers: int = 0
        self.credits_in_doubt: float = 0.0

    def charged(self, order: Order, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Count credits."""
        self._count("claid.credits", credits, operation=order.operation)

    def answer_lost(self, order: Order, credits: float) -> None:  # noqa: A002
        """Count a lost answer, and the credits that it may have cost."""
        with self._lock:
            self.lost_answers += 1
            self.credits_in_doubt += credits
        self._count("claid.lost_answers", 1, operation=order.operation)
        self._count("claid.credits_in_doubt", credits, operation=order.operation)

    def answer_found(self, order: Order, credits: float) -> None:  # noqa: A002
        """Count the credits of a lost answer that is found."""
        self.charged(order, credits)

    def paid_before(self, order: Order, charges: Sequence[Charge], *, pictures: int, blocked: int) -> None:
        """Count nothing: the process that paid has counted it."""

    def reused(self, order: Order) -> None:
        """Count nothing."""

    def delivered(self, order: Order, *, pictures: int, blocked: int) -> None:
        """Count pictures, and blocked ones."""
        with self._lock:
            self.pictures += pictures
        self._count("claid.pictures", pictures, operation=order.operation)
        self._count("claid.blocked_pictures", blocked, operation=order.operation)

    def refused(self, operation: str, status: int) -> None:
        """Count a request that Claid refused."""
        self._count("claid.refusals", 1, operation=operation, status=str(status))

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Set the gauges of the jobs that are waited for, and of the quota."""
        self._set("claid.waiting_jobs", jobs, self._tags)
        if quota_used is not None:
            self._set("claid.quota_used", quota_used, self._tags)

    def spend_limit_used(self, limit: SpendLimit, credits: float) -> None:  # noqa: A002
        """Set the gauges of a spend limit, which all tasks under it share."""
        tags = {"limit": limit.name, "per": limit.per, "connection": self._connection}
        self._set("claid.spend_limit.used", credits, tags)
        self._set("claid.spend_limit.allowed", limit.credits, tags)

    def _count(self, name: str, number: float, **tags: str) -> None:
        """Add to a counter, or take from it."""
        if number:
            self._send(Stats.incr if number > 0 else Stats.decr, name, abs(number), {**self._tags, **tags})

    def _set(self, name: str, value: float, tags: Mapping[str, str]) -> None:
        """Set a gauge."""
        self._send(Stats.gauge, name, value, tags)

    def _send(self, send: Callable[..., Any], name: str, number: float, tags: Mapping[str, str]) -> None:
        try:
            send(name, number, tags={key: _NOT_IN_TAGS.sub("_", tag) for key, tag in tags.items()})
        except Exception as error:  # noqa: BLE001 - what is paid for must not fail because of a metric
            log.debug("The metric %s could not be sent (%s)", name, type(error).__name__)
