"""How a task whose requests become jobs runs: besides its orders, what it carries through a wait in the triggerer.

Loaded when a task runs, before anything is paid, and not when its DAG is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_claid.client.text import counted, listed
from airflow_claid.fulfilment.deferred import DeferredState
from airflow_claid.fulfilment.task_orders import TaskOrders
from airflow_claid.operators.bases.paying_run import PayingRun
from airflow_claid.orders.source import versions_in
from airflow_claid.waiting.decision import TIME_FOR_LAST_POLL
from airflow_claid.waiting.jobs import goes_on

if TYPE_CHECKING:
    from typing import NoReturn

    from airflow_claid.client import JobKind
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.fulfilment.fulfilment import Fulfilment
    from airflow_claid.orders.order import Order


class JobRun(PayingRun):
    """One execution of an operator whose requests become jobs, or the part of it before or after a wait."""

    def state_in(self, carried: Mapping[str, Any] | None) -> DeferredState | None:
        """Read the state saved before the wait; ``None`` if Airflow lost it, or another version wrote it."""
        try:
            return DeferredState.from_json(carried) if carried else None
        except ValueError as error:
            self.operator.log.warning(
                "The state saved before the wait cannot be read (%s): reading the receipts", error
            )
            return None

    def versions_in(self, state: DeferredState) -> dict[str, str]:
        """Return the versions that the inputs had before the wait."""
        return dict(versions_in([one.receipt.body for one in state.begun]))

    def resumed(self, fulfilment: Fulfilment, asked: Sequence[Order | Failure], state: DeferredState) -> TaskOrders:
        """Return the orders as they were before the wait; nothing is requested again."""
        return TaskOrders.resumed(fulfilment, asked, state)

    def defer(
        self, task_orders: TaskOrders, kind: JobKind, poll_interval: float, parameters: dict[str, Any]
    ) -> NoReturn:
        """Wait in the triggerer for the jobs.

        :param parameters: what the orders need to be made again, besides the operator's parameters.
        """
        from airflow_claid.triggers.job import ClaidJobTrigger

        state = replace(task_orders.deferred(), parameters=parameters)
        deadlines = {str(job_id): deadline.timestamp() for job_id, deadline in task_orders.deadlines.items()}
        last = max(deadlines.values())
        left = max(0.0, last - task_orders.fulfilment.now().timestamp())
        waiting, operator = task_orders.waiting, self.operator
        operator.log.info("Waiting in the triggerer for %s: %s", counted(len(waiting), "job"), listed(waiting))
        operator.defer(
            trigger=ClaidJobTrigger(
                kind=kind.value,
                job_id=waiting,
                deadline=last,
                deadlines=deadlines,
                poll_interval=poll_interval,
                claid_conn_id=operator.claid_conn_id,
                credits=task_orders.credits,
            ),
            method_name="execute_complete",
            kwargs={"carried": state.to_json()},
            timeout=timedelta(seconds=left + TIME_FOR_LAST_POLL),
        )

    def log_what_goes_on(self, task_orders: TaskOrders) -> None:
        """Log which jobs continue, although the task is killed."""
        if task_orders.waiting:
            self.operator.log.warning("%s", goes_on(task_orders.waiting, task_orders.credits))
