"""Python blocks: DAGs are run by Airflow, tests by pytest, operators as Airflow runs them, anything else as it is."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from unittest.mock import patch

from airflow.providers.standard.operators import hitl
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskAwaitingInput

from airflow_claid.operators import ImageReviewOperator
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from tests.docs.conftest import Scene
from tests.unit.operators.conftest import StateStore, TaskInstance

_DAG_ID = re.compile(r"@dag\((?s:.*?)\)\ndef (\w+)\(")
DAY = "2026-10-01"


def run_python(code: str, name: str, scene: Scene) -> None:
    """Run a block to its end; it raises what is wrong with it.

    :param name: of the page and line, for the traceback.
    """
    if "@dag(" in code:
        _run_dag(code, scene)
        return
    if "\ndef test_" in code:
        _run_tests(code, scene)
        return
    with DAG("page", schedule=None) as dag:
        exec(compile(code, name, "exec"), {"__name__": "page"})
    xcoms: dict[tuple[str, str], Any] = {}
    for task in dag.topological_sort():
        _run_task(task, dag, xcoms)


def _run_dag(code: str, scene: Scene) -> None:
    """Run the DAG as ``airflow dags test`` does."""
    found = _DAG_ID.search(code)
    assert found, "a DAG without a decorated function"
    dag_id = found[1]
    file = scene.airflow.dags / f"{dag_id}.py"
    file.write_text(code, encoding="utf-8")
    status, log = scene.airflow.run_dag(dag_id)
    assert status == 0, log[-4000:]
    assert "Broken DAG" not in log, log[-4000:]


def _run_tests(code: str, scene: Scene) -> None:
    """Run the tests as a user does, beside the page's DAGs."""
    folder = scene.folder.parent / "tests"
    folder.mkdir(exist_ok=True)
    file = folder / f"test_{len(list(folder.iterdir()))}.py"
    file.write_text(code, encoding="utf-8")
    settings = {"PYTHONPATH": str(scene.airflow.dags), "AIRFLOW_CONN_CLAID_DEFAULT": None}
    done = scene.airflow.run("pytest", "-q", "--strict-markers", str(file), folder=folder, settings=settings)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@dataclass
class PageTaskInstance(TaskInstance):
    """A task instance that also finds what the block's other tasks returned and pushed."""

    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    id: str = "page"

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[self.task_id, key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value", default: Any = None, **_: Any) -> Any:
        return self.xcoms.get((task_ids, key), default)


def _run_task(task: Any, dag: DAG, xcoms: dict[tuple[str, str], Any]) -> None:
    ti = PageTaskInstance(task_id=task.task_id, xcoms=xcoms)
    context = {
        "ti": ti,
        "task": task,
        "dag": dag,
        "ds": DAY,
        "params": {},
        "task_state_store": StateStore({}),
    }
    task.render_template_fields(context)
    result = _approved(task, context) if isinstance(task, ImageReviewOperator) else task.execute(context)
    assert result or not isinstance(task, ClaidPayingOperator), f"{task.task_id} gave no picture"
    ti.xcom_push("return_value", result)


def _approved(task: Any, context: dict[str, Any]) -> Any:
    """Ask as Airflow does, and approve all."""
    with patch.object(hitl, "upsert_hitl_detail"), suppress(TaskAwaitingInput):
        task.execute({**context, "task_instance": context["ti"]})
    event = {
        "chosen_options": task.options[:1],
        "params_input": {"comment": ""},
        "responded_at": datetime.now(timezone.utc),
        "responded_by_user": {"id": "7", "name": "anna"},
    }
    return task.execute_complete(context, event)
