"""The base of operators whose requests become jobs: wait in the worker, in the triggerer, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import JobKind
from airflow_claid.client.text import counted, listed
from airflow_claid.configuration import defaults
from airflow_claid.operators.bases.job_terms import JobTermsOperator
from airflow_claid.operators.bases.paying import failing_at_once
from airflow_claid.parameters import is_literal, refusing_at_once, truth
from airflow_claid.version_compat import AirflowException, AirflowFailException
from airflow_claid.waiting.decision import WaitState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.fulfilment.deferred import DeferredState
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.fulfilment.fulfilment import Fulfilment
    from airflow_claid.fulfilment.task_orders import TaskOrders
    from airflow_claid.operators.bases.job_run import JobRun
    from airflow_claid.orders.order import Order


class ClaidJobOperator(JobTermsOperator):
    """Base of the operators whose requests become jobs.

    All jobs of a task are submitted, then waited for. Claid cannot cancel a job: if a task is killed or times out, the
    log names the jobs that continue, and the next try attaches to them and pays nothing.

    :param wait_for_completion: (templated) wait until the jobs have ended and deliver the pictures. If
        false, submit them and return their ids for a :class:`~airflow_claid.sensors.ClaidJobSensor`; the same task
        with true, or another with the same parameters, delivers them later without paying.
    :param deferrable: wait in the triggerer, which frees the worker slot. Default: ``[claid] deferrable``
        of Airflow's configuration, without it ``[operators] default_deferrable``. Return value, XComs and receipts are
        the same.
    :param poll_interval: see :class:`JobTermsOperator`; so is ``timeout``.
    """

    job_kind: JobKind
    waiting_template_fields: tuple[str, ...] = ("wait_for_completion", *JobTermsOperator.job_terms_fields)

    def __init__(
        self,
        *,
        wait_for_completion: bool | str = True,
        deferrable: bool = defaults.deferrable(),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self._task_orders: TaskOrders | None = None
        with refusing_at_once():
            if is_literal(wait_for_completion):
                truth(wait_for_completion, "wait_for_completion")

    @property
    def _run(self) -> JobRun:
        """What runs the task; what it needs is loaded here, and not when the DAG is parsed."""
        from airflow_claid.operators.bases.job_run import JobRun

        return JobRun(self, self._reports)

    def execute(self, context: Context) -> Any:
        """Submit the jobs, or reuse paid ones; wait; return the paths of the pictures, or the ids of the jobs."""
        with failing_at_once(self._subject), self._fulfilling(context) as fulfilment:
            wait = truth(self.wait_for_completion, "wait_for_completion")
            self._task_orders = task_orders = self._run.orders(fulfilment, self._orders())
            task_orders.begin(wait=wait)
            self._show_links(context, task_orders)
            if not wait:
                return self._without_waiting(context, task_orders)
            if self.deferrable and task_orders.waiting:
                self._run.defer(task_orders, self.job_kind, self._terms().poll_interval, self._parameters_to_defer())
            return self._end(context, task_orders, task_orders.complete())

    def execute_complete(
        self, context: Context, carried: Mapping[str, Any] | None = None, event: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Resume in a new process after the trigger has fired: poll the jobs as a waiting worker would.

        :param carried: the state saved before the wait. ``airflow dags test`` loses it (seen in Airflow 3.3.2): then
            the receipts are used, and without receipts the task fails rather than pay again.
        """
        status, message = (event or {}).get("status"), str((event or {}).get("message", ""))
        state = self._deferred_state(carried)
        spent = state.spent if state else 0.0
        with failing_at_once(self._subject), self._fulfilling(context, spent) as fulfilment:
            if status == WaitState.UNREACHABLE.value:
                raise AirflowException(message)
            if status not in (WaitState.ENDED.value, WaitState.TIMED_OUT.value, WaitState.REFUSED.value):
                raise AirflowException(f"The trigger ended with an event that this version does not know: {event!r}")
            if status == WaitState.REFUSED.value:
                self.log.warning("The triggerer could not wait for all jobs (%s): polling them from here", message)
            self._task_orders = task_orders = self._orders_before_wait(fulfilment, state)
            self._show_links(context, task_orders)
            until = fulfilment.now() if status == WaitState.TIMED_OUT.value else None
            return self._end(context, task_orders, task_orders.complete(until))

    def on_kill(self) -> None:
        """Log which jobs continue."""
        if self._task_orders is not None:
            self._run.log_what_goes_on(self._task_orders)

    def _deferred_state(self, carried: Mapping[str, Any] | None) -> DeferredState | None:
        return self._run.state_in(carried)

    def _orders_before_wait(self, fulfilment: Fulfilment, state: DeferredState | None) -> TaskOrders:
        """Return the task's orders from before the wait, without paying for anything."""
        if state:
            self._removed = self._run.versions_in(state)
            return self._run.resumed(fulfilment, self._orders_again(state), state)
        fulfilment.budget.refuse(
            lambda: AirflowFailException(
                f"{self._subject}: the state saved before the wait is lost (as in 'airflow dags test') or of another "
                "version, and there is no receipt: nothing is submitted, or paid for, again. Check Claid's dashboard; "
                "set an output where receipts can be kept, or deferrable=False."
            )
        )
        task_orders = self._run.orders(fulfilment, self._orders())
        task_orders.begin()
        return task_orders

    def _parameters_to_defer(self) -> dict[str, Any]:
        """Return, as JSON, what :meth:`_orders_again` needs besides the parameters."""
        return {}

    def _orders_again(self, state: DeferredState) -> Sequence[Order | Failure]:
        """Return the orders as they were before the wait."""
        return self._orders()

    def _without_waiting(self, context: Context, task_orders: TaskOrders) -> list[int | str]:
        """Deliver what is ready, and return the ids of all jobs."""
        job_ids = task_orders.job_ids
        results = task_orders.complete_without_waiting()
        self._hand_on(context, results, task_orders)
        self._raise_failures(context, task_orders, succeeded=bool(results or job_ids))
        self.log.info("Not waiting for %s: %s", counted(len(job_ids), "job"), listed(job_ids) or "(none)")
        return job_ids
