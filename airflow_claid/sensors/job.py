"""The sensor that waits for jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.triggers.base import StartTriggerArgs

from airflow_claid.client import ClaidValidationError, Job, JobKind
from airflow_claid.errors import PollFailedError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.parameters import is_literal, refusing_at_once
from airflow_claid.triggers.job import ClaidJobTrigger
from airflow_claid.version_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    conf,
    task_state_store,
)
from airflow_claid.waiting.failure_count import FailureCount
from airflow_claid.waiting.jobs import PATIENCE, JobDecision, Waiting, decide, job_kind, job_numbers, pause

if TYPE_CHECKING:
    from airflow.sdk import Context

_AFTER_DEADLINE = 120.0
"""Seconds that the trigger has, after the wait is over, for its last look, before Airflow ends it."""


class ClaidJobSensor(BaseSensorOperator):
    """Wait until Claid has done a job, whoever submitted it.

    Costs nothing: the sensor only asks. ``DONE`` ends the wait well; ``ERROR`` and ``CANCELLED`` fail the task without
    a retry, with Claid's reasons, once the other jobs of a list have ended too; every other status, ``PAUSED`` and ones
    that nobody knows yet among them, is waited out. A look that fails for a passing reason is tried again; the fifth
    in a row fails the try. In poke, reschedule and deferrable mode the result, the time and the errors are the same.

    :param job_id: (templated) Claid's number, or a list, such as the result of an operator with
        ``wait_for_completion=False``.
    :param kind: (templated) ``"edit"``, ``"batch_edit"``, ``"ai_edit"``, ``"fashion_model"`` or ``"video"``: the number
        alone finds nothing.
    :param claid_conn_id: (templated) the Airflow connection to Claid.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param start_from_trigger: begin in the triggerer, without a worker at all; ``job_id`` must then be literal, or
        (from Airflow 3.3) a template such as ``"{{ ti.xcom_pull('video', map_indexes=-1) }}"``. Airflow hands the
        triggerer the whole DAG with each such task: for hundreds of them in one DAG use ``deferrable``. Default: false.
    :param kwargs: those of every sensor: ``poke_interval`` (seconds, default 60; the trigger's first polls come
        sooner), ``timeout`` (seconds, default a week), ``mode``, ``soft_fail``, …
    :returns: the most lasting addresses that Claid gave of what the jobs made, in their order: ``storage://…``, the
        object's address, or a link that lives 24 hours. They are not looked into: a picture that the content filter
        blacked out is among them. The operators of each kind bring pictures to their place and do look.
    :raises AirflowSensorTimeout: after ``timeout`` seconds; the jobs go on. With ``soft_fail`` the task is skipped.
    :raises AirflowFailException: for a job that ended without a result, and for what no retry can cure.
    :raises PollFailedError: after five failed polls in a row; before Airflow 3.3, in reschedule mode, after the first.
    """

    template_fields: Sequence[str] = ("job_id", "kind", "claid_conn_id")
    ui_color = "#fff4e0"
    start_trigger_args: ClassVar[StartTriggerArgs] = StartTriggerArgs(  # type: ignore[misc]
        trigger_cls="airflow_claid.triggers.job.ClaidJobTrigger", next_method="execute_complete"
    )

    def __init__(
        self,
        *,
        job_id: int | str | Sequence[int],
        kind: str,
        claid_conn_id: str = ClaidHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.kind = kind
        self.claid_conn_id = claid_conn_id
        self.deferrable = deferrable or start_from_trigger
        self.start_from_trigger = start_from_trigger
        self._own_failure_count = FailureCount()
        self._final: dict[int, JobDecision] = {}
        with refusing_at_once():
            if is_literal(job_id):
                job_numbers(job_id, "job_id")
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

    def execute(self, context: Context) -> Any:
        """Wait here, or look once and leave the rest to the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        found = self._skipping(lambda: self.poke(context))
        if not found:
            self.defer(
                trigger=ClaidJobTrigger(
                    kind=self.kind,
                    job_id=self._numbers,
                    deadline=time.time() + self.timeout,
                    poll_interval=self.poke_interval,
                    claid_conn_id=self.claid_conn_id,
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout + _AFTER_DEADLINE),
            )
        return found.xcom_value

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once at each job that is not known to have ended."""
        failure_count = self._failure_count(context)
        failures, waiting = 0, False
        for job_id in self._numbers:
            if job_id in self._final:
                continue
            decision = self._decision(job_id, failure_count)
            self.log.info("%s", decision.message)
            if decision.final:
                self._final[job_id] = decision
            elif decision.waiting is Waiting.UNREACHABLE:
                failure_count.keep(0)
                raise PollFailedError(decision.message) from decision.error
            else:
                failures, waiting = max(failures, decision.failures), True
        failure_count.keep(failures if waiting else 0)
        return PokeReturnValue(False) if waiting else PokeReturnValue(True, self._addresses())

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> list[str]:
        """End as the trigger says, in a new process that knows only its event."""
        status, message = (event or {}).get("status"), str((event or {}).get("message", ""))
        if status == Waiting.ENDED.value:
            return self._found(context)
        if status == Waiting.TIMED_OUT.value:
            raise AirflowSensorTimeout(f"Waited {self.timeout:g} s: {message}")
        if status == Waiting.REFUSED.value:
            raise AirflowFailException(message)
        if status == Waiting.UNREACHABLE.value:
            if self.never_fail:
                raise AirflowSkipException(message)
            raise PollFailedError(message)
        raise AirflowException(f"The trigger ended with an event that this version does not know: {event!r}")

    def _found(self, context: Context) -> list[str]:
        """Poll at jobs that have ended, as often as a look may fail."""
        for polls in range(PATIENCE):
            found = self._skipping(lambda: self.poke(context))
            if found:
                return list(found.xcom_value)
            time.sleep(pause(polls, self.poke_interval, float("inf")))
        raise PollFailedError("The trigger saw the jobs end, but now they cannot be looked at")

    @cached_property
    def _numbers(self) -> list[int]:
        with refusing_at_once():
            job_kind(self.kind, "kind")
            return job_numbers(self.job_id, "job_id")

    @cached_property
    def _hook(self) -> ClaidHook:
        return ClaidHook(self.claid_conn_id)

    def _decision(self, job_id: int, failure_count: FailureCount) -> JobDecision:
        seen: Job | Exception
        try:
            seen = self._hook.client.get_job(JobKind(self.kind), job_id)
        except Exception as error:  # noqa: BLE001 - a connection can fail in ways of its own; decide() counts them
            seen = error
        return decide(
            f"Job {job_id} ({self.kind})", seen, failures=failure_count.failures, patience=failure_count.patience
        )

    def _addresses(self) -> list[str]:
        """Give what the jobs made.

        :raises AirflowFailException: naming each job that made nothing, or cannot be looked at.
        """
        decisions = [self._final[job_id] for job_id in self._numbers]
        fruitless = [decision.message for decision in decisions if not decision.succeeded]
        if fruitless:
            raise AirflowFailException("; ".join(fruitless))
        outputs = [output for decision in decisions if decision.job for output in decision.job.outputs]
        addresses = (output.claid_storage_uri or output.object_uri or output.tmp_url for output in outputs)
        return [address for address in addresses if address]

    def _skipping(self, look: Any) -> Any:
        """Poll; what no retry cures ends as in the other modes."""
        try:
            return look()
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException("Skipped, as soft_fail or never_fail says") from error
            raise

    def _failure_count(self, context: Context) -> FailureCount:
        if not self.reschedule or self.deferrable:
            return self._own_failure_count
        return FailureCount.between_processes(task_state_store(context))


def _readable_in_the_triggerer(job_id: object) -> bool:
    """Whether a triggerer can find out the ids: it cannot look at the results of a task that may be mapped."""
    if isinstance(job_id, str):
        return "xcom_pull" not in job_id or "map_indexes" in job_id
    return is_literal(job_id)
