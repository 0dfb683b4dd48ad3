"""Sensors run to their end as Airflow does, in each of their modes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow.exceptions import AirflowRescheduleException
from airflow.sdk import BaseSensorOperator

from tests.support.deferring import run_through
from tests.unit.operators.conftest import StateStore

MODES = ("poke", "reschedule", "deferrable")


@dataclass
class SensorTask:
    """A task of a sensor, which is made anew for each process that it would have.

    :param build: the sensor's class.
    :param usual: its parameters where nothing else is said.
    :param remembers: whether Airflow's memory of the task is there (3.3+).
    """

    build: type[BaseSensorOperator]
    mode: str
    usual: Mapping[str, Any] = field(default_factory=dict)
    remembers: bool = True
    first: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    memory: dict[str, Any] = field(default_factory=dict)

    def get_first_reschedule_date(self, context: object) -> datetime:
        return self.first

    def sensor(self, **parameters: Any) -> Any:
        mode = {"deferrable": True} if self.mode == "deferrable" else {"mode": self.mode, "deferrable": False}
        usual = {"task_id": "wait", "poke_interval": 0.1, "timeout": 20, **self.usual}
        return self.build(**{**usual, **mode, **parameters})

    def __call__(self, **parameters: Any) -> Any:
        context: Any = {"ti": self}
        if self.remembers:
            context["task_state_store"] = StateStore(self.memory)
        while True:
            try:
                return run_through(lambda: self.sensor(**parameters), context)
            except AirflowRescheduleException as later:
                time.sleep(max(0.0, (later.reschedule_date - datetime.now(timezone.utc)).total_seconds()))
