"""What a sensor remembers from poll to poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_claid.waiting.decision import PATIENCE

if TYPE_CHECKING:
    from airflow_claid.storage.task_state import TaskStateStore

_KEY = "claid_sensor_failures"


class FailureCount:
    """How many polls failed in a row.

    :param store: Airflow's memory, for a wait that is several processes; ``None`` for one that is in this one.
    :param patience: so many failed polls in a row end the wait; 1 where nothing can be remembered.
    """

    def __init__(self, store: TaskStateStore | None = None, patience: int = PATIENCE) -> None:
        self._store = store
        self.patience = patience
        kept = store.get(_KEY) if store is not None else 0
        self.failures: int = kept if isinstance(kept, int) else 0

    @classmethod
    def between_processes(cls, store: TaskStateStore | None) -> FailureCount:
        """Return the count of a wait that is several processes."""
        return cls(store, PATIENCE if store is not None else 1)

    def keep(self, failures: int) -> None:
        """Remember a number of failures; a wait that ends keeps none."""
        if self._store is not None and failures != self.failures:
            self._store.set(_KEY, failures)
        self.failures = failures
