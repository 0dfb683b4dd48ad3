from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_claid.client import (
    ClaidAuthenticationError,
    ClaidMissingConnectionError,
    ClaidRateLimitError,
    ClaidServerError,
    ClaidValidationError,
)
from airflow_claid.errors import CreditCeilingError, DeadLinkError, DownloadFailedError, ReceiptUnreadableError
from airflow_claid.operators import ImageGenerationOperator
from airflow_claid.operators.bases.paying import failing_at_once
from tests.unit.operators.conftest import TaskInstance, TaskRun


@pytest.mark.parametrize(
    "error",
    [
        ClaidServerError("500"),
        ClaidRateLimitError("429", retry_after=0),
        ClaidMissingConnectionError("the API server may have failed for a moment"),
        DownloadFailedError("cut"),
        ReceiptUnreadableError("disk"),
        OSError("bucket"),
    ],
)
def test_what_may_pass_is_left_to_airflows_retries(error: Exception) -> None:
    with pytest.raises(type(error)), failing_at_once("prompt='A lamp'"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        ClaidAuthenticationError("401"),
        ClaidValidationError("too short"),
        DeadLinkError("expired"),
        CreditCeilingError("max_credits=1"),
    ],
)
def test_what_no_retry_cures_burns_no_retries(error: Exception) -> None:
    with pytest.raises(AirflowFailException), failing_at_once("prompt='A lamp'"):
        raise error


def test_a_task_without_its_connection_says_which_and_may_be_retried() -> None:
    task = ImageGenerationOperator(task_id="lamp", prompt="A lamp", claid_conn_id="nobody_knows")
    with pytest.raises(ClaidMissingConnectionError, match=r"'nobody_knows'.*Define it"):
        TaskRun(TaskInstance(), {})(task)
