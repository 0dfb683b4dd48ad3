"""What the sensors have in common: poke, reschedule and deferrable mode end alike."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_claid.errors import PollFailedError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.triggers.base import ClaidTrigger
from airflow_claid.version_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    task_state_store,
)
from airflow_claid.waiting.decision import TIME_FOR_LAST_POLL, WaitState
from airflow_claid.waiting.failure_count import FailureCount

if TYPE_CHECKING:
    from airflow.sdk import Context


class ClaidSensor(BaseSensorOperator):
    """Base of the sensors. In every mode the result, the time and the errors are the same.

    :param claid_conn_id: (templated) the Airflow connection to Claid.
    :param deferrable: wait in the triggerer.
    :param kwargs: those of every sensor: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail``, …
    """

    ui_color = "#fff4e0"

    def __init__(self, *, claid_conn_id: str, deferrable: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claid_conn_id = claid_conn_id
        self.deferrable = deferrable
        self._own_failure_count = FailureCount()

    @cached_property
    def hook(self) -> ClaidHook:
        """The hook of the connection."""
        return ClaidHook(self.claid_conn_id)

    def execute(self, context: Context) -> Any:
        """Wait here, or poll once and leave the rest to the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        with self._skipping():
            polled = self.poke(context)
        if not polled:
            self.defer(
                trigger=self._trigger(time.time() + self.timeout),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout + TIME_FOR_LAST_POLL),
            )
        return polled.xcom_value

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> list[str]:
        """End as the trigger says, in a new process that knows only its event."""
        event = event or {}
        status, message = event.get("status"), str(event.get("message", ""))
        with self._skipping():
            if status == WaitState.ENDED.value:
                return self._result(context, event)
            if status == WaitState.REFUSED.value:
                raise AirflowFailException(message)
            if status == WaitState.UNREACHABLE.value:
                raise PollFailedError(message)
        if status == WaitState.TIMED_OUT.value:
            raise AirflowSensorTimeout(f"Waited {self.timeout:g} s: {message}")
        raise AirflowException(f"The trigger ended with an event that this version does not know: {event!r}")

    @abstractmethod
    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""

    @abstractmethod
    def _trigger(self, deadline: float) -> ClaidTrigger:
        """Return the trigger that goes on with the wait until a time in seconds since 1970 (UTC)."""

    @abstractmethod
    def _result(self, context: Context, event: Mapping[str, Any]) -> list[str]:
        """Return what the task does after the trigger has seen the end."""

    def _failure_count(self, context: Context) -> FailureCount:
        if not self.reschedule or self.deferrable:
            return self._own_failure_count
        return FailureCount.between_processes(task_state_store(context))

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        """Skip the task where ``soft_fail`` or ``never_fail`` says so, as Airflow does in the other modes."""
        try:
            yield
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipped, as soft_fail or never_fail says: {error}") from error
            raise
        except PollFailedError as error:
            if self.never_fail:
                raise AirflowSkipException(f"Skipped, as never_fail says: {error}") from error
            raise
