"""Operators run as Airflow runs them, with a task instance that remembers what was pushed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect


@dataclass
class TaskInstance:
    """The part of a running task instance that operators use."""

    dag_id: str = "shop"
    run_id: str = "monday"
    task_id: str = "pictures"
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 2
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@dataclass
class TaskRun:
    """One try of a task: what it returned, and what it pushed."""

    ti: TaskInstance
    state_store: dict[str, Any] | None
    events: OutletEventAccessors = field(default_factory=OutletEventAccessors)

    def __call__(self, operator: BaseOperator) -> Any:
        context: dict[str, Any] = {"ti": self.ti, "outlet_events": self.events}
        if self.state_store is not None:
            context["task_state_store"] = StateStore(self.state_store)
        return operator.execute(context)  # type: ignore[arg-type]

    @property
    def images(self) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = self.ti.pushed["images"]
        return images

    @property
    def credits(self) -> float:
        return float(self.ti.pushed["credits"])


@dataclass
class StateStore:
    """Airflow's ``task_state_store``, kept in a dict."""

    values: dict[str, Any]

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def set(self, key: str, value: Any) -> None:
        assert json.loads(json.dumps(value)) == value, "Airflow takes nothing but JSON here"
        self.values[key] = value


NewTry = Callable[..., TaskRun]


@pytest.fixture
def new_try(sandbox: Sandbox, connect: Connect) -> NewTry:
    """Makes a try of a task against the sandbox; tries of one test share Airflow's memory of the task."""
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    memory: dict[str, Any] = {}

    def make(*, remembers: bool = True, **facts: Any) -> TaskRun:
        return TaskRun(TaskInstance(**facts), memory if remembers else None)

    return make
