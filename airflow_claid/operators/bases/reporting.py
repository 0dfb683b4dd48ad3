"""What the operators that pay report to Airflow besides XComs: links, names of mapped tasks, lineage, asset events."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_claid.operators.bases.labels import name_mapped_task, rendered_as_text
from airflow_claid.operators.bases.outcome import Outcome
from airflow_claid.operators.links import ClaidPicturesLink, ClaidStorageLink

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.hooks.claid import ClaidHook
    from airflow_claid.operators.bases.task_reports import TaskReports


class ReportingOperator(BaseOperator):
    """Base of the operators that pay: what Airflow's page, lineage and schedules learn of them."""

    claid_conn_id: str
    operator_extra_links = (ClaidPicturesLink(), ClaidStorageLink())
    pictures_page: str = ""
    storage_page: str = ""
    _shares: tuple[float, float] = (0.0, 0.0)
    """Of pictures or items that were blocked, and of requests or items that failed."""

    @property
    def outcome(self) -> Outcome:
        """How the task has ended, as far as is known; for notifiers."""
        metrics = self._reports.metrics
        return Outcome(*self._shares, metrics.lost_answers, metrics.credits_in_doubt)

    @cached_property
    def hook(self) -> ClaidHook:
        """The hook of the connection."""
        from airflow_claid.hooks.claid import ClaidHook

        return ClaidHook(self.claid_conn_id, on_refusal=self._reports.events.refused)

    @cached_property
    def _reports(self) -> TaskReports:
        from airflow_claid.operators.bases.task_reports import TaskReports

        return TaskReports(self.dag_id, self.task_id, self.claid_conn_id)

    def pre_execute(self, context: Context) -> None:
        """Have Airflow's page call a mapped task by its name, where it has one."""
        super().pre_execute(context)
        name_mapped_task(context, getattr(self, "name", None))

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Keep a ``map_index_template`` that renders a number from failing a task that has paid."""
        super().post_execute(context, result)
        rendered_as_text(context)
