"""Airflow's ``task_state_store`` (3.3+), as far as it is needed here."""

from __future__ import annotations

from typing import Any, Protocol


class TaskStateStore(Protocol):
    """The part of Airflow's ``task_state_store`` that receipts need."""

    def get(self, key: str) -> Any:
        """Return a value, or ``None``."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
