"""The two ways of waiting, each as tasks that start in the triggerer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_OURS = """
from datetime import datetime

from airflow.sdk import DAG
from airflow_claid.sensors import ClaidJobSensor

for number, job_ids in enumerate({job_ids}):
    with DAG(f"{dag_id}_{{number}}", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
        for job_id in job_ids:
            ClaidJobSensor(
                task_id=f"job_{{job_id}}", job_id=job_id, kind="edit", poke_interval={interval}, start_from_trigger=True
            )
"""

_HTTP = """
from datetime import datetime, timedelta

from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs


class Wait(BaseOperator):
    start_from_trigger = True

    def __init__(self, *, job_id, **kwargs):
        super().__init__(**kwargs)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow.providers.http.triggers.http.HttpEventTrigger",
            trigger_kwargs={{
                "endpoint": f"v1/image/edit/async/{{job_id}}",
                "response_check_path": "benchmarks.jobs.ended.has_ended",
                "poll_interval": {interval},
            }},
            next_method="execute_complete",
            timeout=timedelta(days=7),
        )


for number, job_ids in enumerate({job_ids}):
    with DAG(f"{dag_id}_{{number}}", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
        for job_id in job_ids:
            Wait(task_id=f"job_{{job_id}}", job_id=job_id)
"""


@dataclass(frozen=True)
class Way:
    """A way of waiting.

    :param title: in the table.
    :param dag_id: prefix of the ids of its DAGs.
    """

    title: str
    dag_id: str
    _dag: str

    def dag(self, job_ids: Sequence[int], interval: float) -> str:
        """Return a file of DAGs that wait for these jobs, ten in each.

        With a task that starts in the triggerer, Airflow hands over its whole DAG; with one DAG for all jobs, the
        benchmark would measure little else.
        """
        parts = [list(job_ids[first : first + 10]) for first in range(0, len(job_ids), 10)]
        return self._dag.format(dag_id=self.dag_id, job_ids=parts, interval=interval)


WAYS = (
    Way("`ClaidJobSensor`", "ours", _OURS),
    Way("`HttpEventTrigger`", "http", _HTTP),
)
