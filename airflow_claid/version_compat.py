"""The differences between Airflow versions, all in one place."""

from __future__ import annotations

import time
from datetime import timedelta
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

from airflow_claid.client import ClaidRateLimitError
from airflow_claid.errors import SpendLimitError, is_retryable

try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
except ImportError:
    from airflow.exceptions import (  # type: ignore[no-redef,attr-defined,unused-ignore]
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )

try:
    from airflow.sdk.configuration import conf
except ImportError:
    from airflow.configuration import conf  # type: ignore[no-redef,assignment,unused-ignore]

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:
    HAS_RETRY_POLICY = False
else:
    HAS_RETRY_POLICY = True

try:
    from airflow.sdk.observability.stats import Stats
except ImportError:
    from airflow.stats import Stats  # type: ignore[no-redef,attr-defined,unused-ignore]

THREADS_AT_ONCE = 8 if HAS_RETRY_POLICY else 1
"""Threads of a task that may request connections from Airflow at once: before 3.3, answers could be mixed up."""

_LONGEST_RETRY_DELAY = 25 * 3600.0
"""Seconds: a day, also where the clocks are changed. A task that would wait for a month is better cleared then."""

_AFTER_OPENING = 5.0
"""Seconds: the clock of the next worker may be late."""

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_claid.storage.task_state import TaskStateStore


__all__ = [
    "THREADS_AT_ONCE",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "Stats",
    "conf",
    "hitl_operator",
    "is_worth_a_retry",
    "lineage_collector",
    "push_link",
    "task_state_store",
    "use_retry_after",
    "wait_before_retry",
]


def hitl_operator() -> Any:
    """Return Airflow's operator that asks a person, of ``apache-airflow-providers-standard``.

    :raises AirflowOptionalProviderFeatureException: if it is missing, or too old to limit how long the answer may take.
    """
    from airflow.exceptions import AirflowOptionalProviderFeatureException

    try:
        from airflow.providers.standard.operators.hitl import HITLOperator
    except ImportError:
        is_usable = False
    else:
        is_usable = "response_timeout" in signature(HITLOperator.__init__).parameters
    if not is_usable:
        raise AirflowOptionalProviderFeatureException(
            "ImageReviewOperator needs apache-airflow-providers-standard 1.12.2 or later: "
            "pip install 'airflow-claid[review]'"
        )
    return HITLOperator


def task_state_store(context: Context) -> TaskStateStore | None:
    """Return Airflow's store for the task instance (3.3+), which survives retries and clears; else ``None``."""
    return cast("TaskStateStore | None", context.get("task_state_store"))


def lineage_collector() -> Any:
    """Return Airflow's collector of what hooks read and write."""
    try:
        from airflow.sdk.lineage import get_hook_lineage_collector
    except ImportError:
        from airflow.lineage.hook import (  # type: ignore[no-redef,import-not-found,attr-defined,unused-ignore]
            get_hook_lineage_collector,
        )
    return get_hook_lineage_collector()


def push_link(ti: Any, key: str, address: str) -> None:
    """Push the address of an operator's link while the task runs, as Airflow itself does at its end.

    Airflow reads links from its database, past the XCom backend. A backend of one's own might put a file there.
    """
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time.xcom import XCom

    if XCom is BaseXCom:
        ti.xcom_push(key=key, value=address)
    elif hasattr(XCom, "_set_xcom_in_db"):
        where = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id}
        map_index = ti.map_index if ti.map_index is not None else -1
        XCom._set_xcom_in_db(key=key, value=address, map_index=map_index, **where)  # noqa: SLF001 - there is no other way past a backend


def use_retry_after(operator: BaseOperator) -> None:
    """Let a task retry when the quota or its spend limit opens (3.3+), unless it has a retry policy of its own."""
    if HAS_RETRY_POLICY and operator.retry_policy is None:
        operator.retry_policy = _RetryAfter()


def is_worth_a_retry(error: BaseException) -> bool:
    """Return whether a retry may help: before a spend limit opens it cannot, and only 3.3+ waits that long."""
    if isinstance(error, SpendLimitError):
        return HAS_RETRY_POLICY and error.retry_after <= _LONGEST_RETRY_DELAY
    return is_retryable(error)


def wait_before_retry(seconds: float) -> None:
    """Sleep until the time that Claid named, where Airflow (before 3.3) cannot schedule the retry."""
    if not HAS_RETRY_POLICY:
        time.sleep(min(seconds, 600.0))


if HAS_RETRY_POLICY:

    class _RetryAfter(RetryPolicy):
        """Retries when the quota or the spend limit opens; otherwise as the task is configured."""

        def evaluate(
            self,
            exception: BaseException,
            try_number: int,
            max_tries: int,
            context: Context | None = None,
        ) -> RetryDecision:
            cause = exception.__cause__  # of an error that also says what is left of a batch
            error = cause if isinstance(cause, (ClaidRateLimitError, SpendLimitError)) else exception
            if isinstance(error, ClaidRateLimitError):
                delay = timedelta(seconds=error.retry_after)
                return RetryDecision.retry(delay, reason="Claid's quota opens then")
            if isinstance(error, SpendLimitError):
                delay = timedelta(seconds=error.retry_after + _AFTER_OPENING)
                return RetryDecision.retry(delay, reason=f"The spend limit {error.name!r} opens then")
            return RetryDecision.default()

        def serialize(self) -> dict[str, Any]:
            return {}
