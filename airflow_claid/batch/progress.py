"""Report the progress of a batch in the task's log and in Airflow's ``task_state_store``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from airflow_claid.batch.counts import STATUSES, BatchCounts
from airflow_claid.client.text import counted
from airflow_claid.fulfilment.events import Events

if TYPE_CHECKING:
    from airflow_claid.storage.task_state import TaskStateStore

log: logging.Logger = logging.getLogger(__name__)

KEY = "claid_progress"


class Progress:
    """Reports the progress of a batch.

    :param total: number of items in the batch.
    :param quota_used: returns the share of the quota that is used, 0 to 1; ``None`` where there is no limit.
    :param store: Airflow's ``task_state_store`` (3.3+), or ``None``.
    :param events: is told the jobs and the quota.
    """

    def __init__(
        self, total: int, quota_used: Callable[[], float | None], store: TaskStateStore | None, events: Events
    ) -> None:
        self._total = total
        self._quota_used = quota_used
        self._store = store
        self._events = events
        self._last = (time.monotonic(), 0)
        self._rate = 0.0

    def __call__(self, counts: BatchCounts) -> None:
        """Log the progress and store it."""
        self._update_rate(counts)
        used = self._quota_used()
        left = (self._total - counts.items) / self._rate if self._rate else None
        ended = {status: counts.by_status[status] for status in STATUSES if counts.by_status[status]}
        facts = {
            "items": counts.items,
            "of": self._total,
            **ended,
            "reused": counts.reused,
            "waiting": counts.waiting,
            "jobs": counts.jobs,
            "credits": counts.credits,
            "credits_in_doubt": counts.credits_in_doubt,
            "per_second": round(self._rate, 1),
            "quota_used": None if used is None else round(used, 2),
            "seconds_left": None if left is None else round(left),
        }
        log.info(
            "%s of %s: %s; %s reused, %s%s to be retried; %.1f a second%s, %s spent%s",
            f"{counts.items:,}",
            counted(self._total, "item"),
            ", ".join(f"{number:,} {status}" for status, number in ended.items()) or "none ended yet",
            f"{counts.reused:,}",
            f"{counted(counts.jobs, 'job')} running, " if counts.jobs else "",
            f"{counts.waiting:,}",
            self._rate,
            "" if used is None else f" ({used:.0%} of the quota)",
            counted(counts.credits, "credit"),
            "" if left is None else f", about {_clock(left)} left",
        )
        self._events.progress(jobs=counts.jobs, quota_used=used)
        self._store_progress(facts)

    def _update_rate(self, counts: BatchCounts) -> None:
        """Compute how many items ended per second since the last report, without reused ones."""
        then, before = self._last
        now, ended = time.monotonic(), counts.items - counts.reused
        if now > then:
            self._rate = (ended - before) / (now - then)
        self._last = (now, ended)

    def _store_progress(self, facts: Mapping[str, object]) -> None:
        if self._store is None:
            return
        try:
            self._store.set(KEY, dict(facts))
        except Exception as error:  # noqa: BLE001 - a report of progress must not stop the batch
            log.warning("The progress could not be stored in task_state_store (%s)", type(error).__name__)


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{seconds / 3600:.1f} h"
