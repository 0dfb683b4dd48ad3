"""The sensor that waits for jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import PokeReturnValue
from airflow.triggers.base import StartTriggerArgs

from airflow_claid.client import ClaidValidationError, Job, JobKind
from airflow_claid.client.text import listed
from airflow_claid.configuration import defaults
from airflow_claid.errors import PollFailedError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.parameters import is_literal, refusing_at_once
from airflow_claid.sensors.base import ClaidSensor
from airflow_claid.triggers.job import ClaidJobTrigger
from airflow_claid.version_compat import AirflowFailException
from airflow_claid.waiting.decision import PATIENCE, WaitState
from airflow_claid.waiting.failure_count import FailureCount
from airflow_claid.waiting.jobs import JobDecision, decide, job_ids, job_kind, pause

if TYPE_CHECKING:
    from airflow.sdk import Context


class ClaidJobSensor(ClaidSensor):
    """Wait until Claid has done a job, whoever submitted it.

    Costs nothing: the sensor only asks. ``DONE`` ends the wait well; ``ERROR`` and ``CANCELLED`` fail the task without
    a retry, with Claid's reasons, once the other jobs of a list have ended too; every other status, ``PAUSED`` and ones
    that nobody knows yet among them, is waited out. A poll that fails for a passing reason is tried again; the fifth
    in a row fails the try. In poke, reschedule and deferrable mode the result, the time and the errors are the same.

    :param job_id: (templated) Claid's number, or a list, such as the result of an operator with
        ``wait_for_completion=False``.
    :param kind: (templated) ``"edit"``, ``"batch_edit"``, ``"ai_edit"``, ``"fashion_model"`` or ``"video"``: the number
        alone finds nothing.
    :param claid_conn_id: (templated) the Airflow connection to Claid.
    :param deferrable: wait in the triggerer. Default: ``[claid] deferrable`` of Airflow's configuration,
        without it ``[operators] default_deferrable``.
    :param start_from_trigger: begin in the triggerer, without a worker at all; ``job_id`` must then be literal, or
        (from Airflow 3.3) a template such as ``"{{ ti.xcom_pull('video', map_indexes=-1) }}"``. Airflow hands the
        triggerer the whole DAG with each such task: for hundreds of them in one DAG use ``deferrable``. Default: false.
    :param kwargs: those of every sensor: ``poke_interval`` (seconds, default 60; the trigger's first polls come
        sooner), ``timeout`` (seconds, default a week), ``mode``, ``soft_fail``, …
    :returns: the most lasting addresses that Claid gave of what the jobs made, in their order: ``storage://…``, the
        object's address, or a link that lives 24 hours. The pictures are not checked: one that the content filter
        blocked is among them. The operators of each kind bring pictures to their place and check them.
    :raises AirflowSensorTimeout: after ``timeout`` seconds; the jobs go on. With ``soft_fail`` the task is skipped.
    :raises AirflowFailException: for a job that ended without a result, and for what a retry cannot fix.
    :raises PollFailedError: after five failed polls in a row; before Airflow 3.3, in reschedule mode, after the first.
    """

    template_fields: Sequence[str] = ("job_id", "kind", "claid_conn_id")
    start_trigger_args: ClassVar[StartTriggerArgs] = StartTriggerArgs(  # type: ignore[misc]
        trigger_cls="airflow_claid.triggers.job.ClaidJobTrigger", next_method="execute_complete"
    )

    def __init__(
        self,
        *,
        job_id: int | str | Sequence[int | str],
        kind: str,
        claid_conn_id: str = ClaidHook.default_conn_name,
        deferrable: bool = defaults.deferrable(),
        start_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(claid_conn_id=claid_conn_id, deferrable=deferrable or start_from_trigger, **kwargs)
        self.job_id = job_id
        self.kind = kind
        self.start_from_trigger = start_from_trigger
        self._final: dict[int | str, JobDecision] = {}
        with refusing_at_once():
            if is_literal(job_id):
                job_ids(job_id, "job_id")
            if is_literal(kind):
                job_kind(kind, "kind")
            if start_from_trigger and not _readable_in_the_triggerer(job_id):
                raise ClaidValidationError(
                    "job_id is another task's output in a form that a triggerer cannot read: write "
                    "job_id=\"{{ ti.xcom_pull('submit', map_indexes=-1) }}\" (Airflow 3.3 or later), or use "
                    "deferrable=True in place of start_from_trigger=True"
                )
        if start_from_trigger:
            self.start_trigger_args = StartTriggerArgs(  # type: ignore[misc]
                trigger_cls="airflow_claid.triggers.job.ClaidJobTrigger",
                trigger_kwargs={
                    "kind": kind,
                    "job_id": job_id,
                    "poll_interval": self.poke_interval,
                    "claid_conn_id": claid_conn_id,
                },
                next_method="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once each job that is not known to have ended."""
        count = self._failure_count(context)
        failures, waiting = 0, False
        for job_id in self._numbers:
            if job_id in self._final:
                continue
            decision = self._decision(job_id, count)
            self.log.info("%s", decision.message)
            if decision.final:
                self._final[job_id] = decision
            elif decision.state is WaitState.UNREACHABLE:
                count.keep(0)
                raise PollFailedError(decision.message) from decision.error
            else:
                failures, waiting = max(failures, decision.failures), True
        count.keep(failures if waiting else 0)
        return PokeReturnValue(False) if waiting else PokeReturnValue(True, self._addresses())

    def _trigger(self, deadline: float) -> ClaidJobTrigger:
        return ClaidJobTrigger(
            kind=self.kind,
            job_id=self._numbers,
            deadline=deadline,
            poll_interval=self.poke_interval,
            claid_conn_id=self.claid_conn_id,
        )

    def _result(self, context: Context, event: Mapping[str, Any]) -> list[str]:
        """Poll jobs that have ended, as often as a poll may fail."""
        for polls in range(PATIENCE):
            if self.poke(context):
                return self._addresses()
            time.sleep(pause(polls, self.poke_interval, float("inf")))
        raise PollFailedError("The trigger saw the jobs end, but now they cannot be polled")

    @cached_property
    def _numbers(self) -> list[int | str]:
        with refusing_at_once():
            job_kind(self.kind, "kind")
            return job_ids(self.job_id, "job_id")

    def _decision(self, job_id: int | str, count: FailureCount) -> JobDecision:
        name = f"Job {job_id} ({self.kind})"
        return decide(name, self._poll(job_id), failures=count.failures, patience=count.patience)

    def _poll(self, job_id: int | str) -> Job | Exception:
        try:
            return self.hook.client.get_job(JobKind(self.kind), job_id)
        except Exception as error:  # noqa: BLE001 - a connection can fail in ways of its own; decide() counts them
            return error

    def _addresses(self) -> list[str]:
        """Return what the jobs made.

        :raises AirflowFailException: naming each job that made nothing, or cannot be polled.
        """
        decisions = [self._final[job_id] for job_id in self._numbers]
        fruitless = [decision.message for decision in decisions if not decision.succeeded]
        if fruitless:
            raise AirflowFailException(listed(fruitless, "; "))
        outputs = [output for decision in decisions if decision.job for output in decision.job.outputs]
        addresses = (output.claid_storage_uri or output.object_uri or output.tmp_url for output in outputs)
        return [address for address in addresses if address]


def _readable_in_the_triggerer(job_id: object) -> bool:
    """Whether a triggerer can find out the ids: it cannot read the results of a task that may be mapped."""
    if isinstance(job_id, str):
        return "xcom_pull" not in job_id or "map_indexes" in job_id
    return is_literal(job_id)
