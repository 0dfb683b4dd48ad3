"""The one place that knows what an Airflow version has and an older one lacks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.receipts import TaskStateStore

log = logging.getLogger(__name__)


def task_state_store(context: Context) -> TaskStateStore | None:
    """Give Airflow's memory of a task instance (3.3+), which outlives retries and clears; else ``None``."""
    return cast("TaskStateStore | None", context.get("task_state_store"))
