from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_claid.errors import PollFailedError
from airflow_claid.sensors import ClaidImageSensor, ClaidJobSensor
from airflow_claid.sensors.base import ClaidSensor
from airflow_claid.waiting.decision import WaitState
from tests.support.sensing import SensorTask

TASKS = (
    SensorTask(ClaidImageSensor, "deferrable", {"output": "s3://shop/a/"}),
    SensorTask(ClaidJobSensor, "deferrable", {"job_id": 7, "kind": "edit"}),
)


@pytest.fixture(params=TASKS, ids=lambda task: task.build.__name__)
def task(request: pytest.FixtureRequest) -> SensorTask:
    assert isinstance(request.param, SensorTask)
    return request.param


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        (WaitState.REFUSED, {}, AirflowFailException),
        (WaitState.REFUSED, {"soft_fail": True}, AirflowSkipException),
        (WaitState.REFUSED, {"never_fail": True}, AirflowSkipException),
        (WaitState.UNREACHABLE, {}, PollFailedError),
        (WaitState.UNREACHABLE, {"soft_fail": True}, PollFailedError),
        (WaitState.UNREACHABLE, {"never_fail": True}, AirflowSkipException),
        (WaitState.TIMED_OUT, {}, AirflowSensorTimeout),
        (WaitState.TIMED_OUT, {"soft_fail": True}, AirflowSkipException),
    ],
)
def test_each_status_of_a_trigger_ends_every_sensor_alike(
    task: SensorTask, status: WaitState, more: dict[str, Any], expected: type[Exception]
) -> None:
    event = {"status": status.value, "message": "what the trigger says"}
    with pytest.raises(expected) as ended:
        task.sensor(**more).resume_execution("execute_complete", {"event": event}, {})
    assert "what the trigger says" in str(ended.value) + str(ended.value.__cause__)


@pytest.mark.parametrize(
    "event", [None, {}, {"status": "success", "paths": ["a"]}, {"status": "wait"}, {"status": "arrived"}]
)
def test_an_event_that_is_not_known_fails(task: SensorTask, event: dict[str, Any] | None) -> None:
    with pytest.raises(AirflowException, match="does not know"):
        task.sensor().execute_complete({}, event)


def test_a_sensor_without_a_poll_or_a_trigger_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        ClaidSensor(task_id="wait", claid_conn_id="claid_default", deferrable=True)
