from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.sdk import DAG

from airflow_claid.client import ClaidClient
from airflow_claid.errors import PollFailedError
from airflow_claid.operators import ImageEditOperator
from airflow_claid.sandbox import Sandbox
from airflow_claid.sensors import ClaidJobSensor
from airflow_claid.triggers import job as trigger_module
from airflow_claid.triggers.job import ClaidJobTrigger
from tests.conftest import Connect
from tests.support.sensing import MODES, SensorTask


def task_in(mode: str, *, remembers: bool = True) -> SensorTask:
    return SensorTask(ClaidJobSensor, mode, {"kind": "edit"}, remembers=remembers)


@pytest.fixture(params=MODES)
def task(request: pytest.FixtureRequest) -> SensorTask:
    return task_in(request.param)


@pytest.fixture
def account(sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A large quota, and a connection that tries nothing again by itself."""
    monkeypatch.setattr(trigger_module, "_clients", {})
    monkeypatch.setattr("airflow_claid.client.account._quotas", {})
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra={"max_wait": 0})
    sandbox.change(quota="60000/60,1000/1", job_seconds=0.3)
    return sandbox


@pytest.fixture
def link(account: Sandbox, claid: ClaidClient) -> str:
    return claid.generate_image("A blue vase").output[0].tmp_url or ""


def submit(claid: ClaidClient, link: str, output: str | None = None) -> int:
    return claid.submit_edit(link, {"resizing": {"width": 9}}, output={"destination": output} if output else None).id


def test_jobs_are_waited_for_and_their_pictures_given_in_every_mode(
    task: SensorTask, account: Sandbox, claid: ClaidClient, link: str, tmp_path: Any
) -> None:
    account.connect_storage("shop", bucket="pictures", where=tmp_path)
    first, second = submit(claid, link, "storage://shop/a.jpg"), submit(claid, link)
    charged = account.charged()
    lasting, temporary = task(job_id=[second, first])[::-1]
    assert lasting == "storage://shop/a.jpg"
    assert temporary.startswith(f"{account.url}/tmp/")
    assert task(job_id=str([first])) == [lasting]
    assert account.charged() == charged


@pytest.mark.parametrize("status", ["PAUSED", "QUEUED_ELSEWHERE"])
def test_a_job_that_stands_still_is_waited_for_in_every_mode(
    task: SensorTask, account: Sandbox, claid: ClaidClient, link: str, status: str
) -> None:
    account.fault("job_status", status=status, seconds=0.5)
    assert len(task(job_id=submit(claid, link))) == 1
    account.fault("job_status", status=status)
    with pytest.raises(AirflowSensorTimeout):
        task(job_id=submit(claid, link), timeout=0.4)


@pytest.mark.parametrize("status", ["ERROR", "CANCELLED", "DONE"])
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, AirflowFailException),
        ({"soft_fail": True}, AirflowSkipException),
        ({"never_fail": True}, AirflowSkipException),
    ],
)
def test_a_job_that_made_nothing_fails_at_once_in_every_mode_when_the_others_have_ended(
    task: SensorTask,
    account: Sandbox,
    claid: ClaidClient,
    link: str,
    status: str,
    more: dict[str, Any],
    expected: type[Exception],
) -> None:
    account.fault("job_status", status=status)
    jobs = [submit(claid, link), submit(claid, link)]
    with pytest.raises(expected) as failed:
        task(job_id=jobs, **more)
    if expected is AirflowFailException:
        assert f"Job {jobs[0]} (edit) ended as {status} without a result" in str(failed.value)
        assert str(jobs[1]) not in str(failed.value)
    assert claid.get_edit(jobs[1]).status == "DONE"


@pytest.mark.parametrize("soft_fail", [False, True])
def test_the_time_to_wait_ends_alike_in_every_mode(
    task: SensorTask, soft_fail: bool, account: Sandbox, claid: ClaidClient, link: str
) -> None:
    account.fault("job_stuck")
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
        task(job_id=submit(claid, link), timeout=0.4, soft_fail=soft_fail)


def test_a_job_that_claid_does_not_know_fails_without_a_retry_in_every_mode(
    task: SensorTask, account: Sandbox, claid: ClaidClient, link: str
) -> None:
    job_id = submit(claid, link)
    for wrong in ({"job_id": [1, job_id]}, {"job_id": job_id, "kind": "video"}):
        with pytest.raises(AirflowFailException, match="Claid does not know the job"):
            task(**wrong)
    assert claid.get_edit(job_id).status == "DONE"
    with pytest.raises(AirflowFailException, match="nowhere"):
        task(job_id=job_id, claid_conn_id="nowhere")


@pytest.mark.parametrize("kind", ["500", "cut", "429"])
def test_four_failing_polls_in_a_row_pass_in_every_mode(
    task: SensorTask, kind: str, account: Sandbox, claid: ClaidClient, link: str
) -> None:
    job_id = submit(claid, link)
    account.change(quota="")
    account.fault(kind, operation="get_edit", count=4)
    assert len(task(job_id=job_id)) == 1
    assert not any(task.memory.values())


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, PollFailedError), ({"soft_fail": True}, PollFailedError), ({"never_fail": True}, AirflowSkipException)],
)
def test_the_fifth_in_a_row_ends_the_try_in_every_mode(
    task: SensorTask, more: dict[str, Any], expected: type[Exception], account: Sandbox, claid: ClaidClient, link: str
) -> None:
    account.fault("job_stuck")
    job_id = submit(claid, link)
    account.fault("500", operation="get_edit", probability=1.0)
    with pytest.raises(expected):
        task(job_id=job_id, **more)
    assert len(account.ledger("get_edit")) >= 5


def test_in_reschedule_mode_without_airflows_memory_the_first_failing_poll_ends_the_try(
    account: Sandbox, claid: ClaidClient, link: str
) -> None:
    job_id = submit(claid, link)
    account.fault("500", operation="get_edit")
    with pytest.raises(PollFailedError, match="failed polls in a row: 1"):
        task_in("reschedule", remembers=False)(job_id=job_id)


def test_polls_that_fail_after_the_trigger_saw_the_end_are_tried_again(
    account: Sandbox, claid: ClaidClient, link: str
) -> None:
    job_id = submit(claid, link)
    task_in("poke")(job_id=job_id)
    account.change(quota="")
    for kind, count in (("500", 3), ("429", 1)):
        account.fault(kind, operation="get_edit", count=count)
    sensor = task_in("deferrable").sensor(job_id=job_id)
    assert len(sensor.execute_complete({}, {"status": "ended"})) == 1  # type: ignore[typeddict-item]
    account.fault("500", operation="get_edit", probability=1.0)
    for more, expected in (({}, PollFailedError), ({"never_fail": True}, AirflowSkipException)):
        with pytest.raises(expected):
            task_in("deferrable").sensor(job_id=job_id, **more).execute_complete({}, {"status": "ended"})


@pytest.mark.parametrize(
    ("parameters", "remedy"),
    [
        ({"job_id": []}, "the id of a job, or a list"),
        ({"job_id": "None"}, "the id of a job, or a list"),
        ({"job_id": "job 7"}, "the id of a job, or a list"),
        ({"kind": "edits"}, "one of edit, batch_edit, ai_edit"),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed_or_the_task_starts(
    parameters: dict[str, Any], remedy: str, task: SensorTask
) -> None:
    with pytest.raises(AirflowFailException, match=remedy):
        task.sensor(**{"job_id": 7, **parameters})
    templated = task.sensor(**{"job_id": 7, **dict.fromkeys(parameters, "{{ params.value }}")})
    for name, value in parameters.items():
        setattr(templated, name, str(value))
    with pytest.raises(AirflowFailException, match=remedy):
        templated.execute({"ti": task})  # type: ignore[typeddict-item]


def test_a_deferred_wait_ends_by_the_triggers_deadline_before_airflow_ends_it(
    account: Sandbox, claid: ClaidClient, link: str
) -> None:
    account.fault("job_stuck")
    with pytest.raises(TaskDeferred) as deferred:
        task_in("deferrable").sensor(job_id=submit(claid, link), timeout=60).execute({})  # type: ignore[typeddict-item]
    assert 58 < deferred.value.trigger.deadline - time.time() <= 60
    assert deferred.value.timeout is not None
    assert deferred.value.timeout.total_seconds() > 60


def test_what_starts_in_the_triggerer_is_the_same_wait(account: Sandbox, claid: ClaidClient, link: str) -> None:
    sensor = task_in("deferrable").sensor(job_id=[7], start_from_trigger=True, timeout=60)
    arguments = sensor.start_trigger_args
    trigger = ClaidJobTrigger(**(arguments.trigger_kwargs or {}))
    assert arguments.trigger_cls == trigger.serialize()[0]
    assert (trigger.job_id, trigger.kind, trigger.poll_interval, trigger.deadline) == ([7], "edit", 0.1, None)
    assert arguments.timeout is not None
    assert arguments.timeout.total_seconds() == 60
    assert set(arguments.trigger_kwargs or {}) & set(sensor.template_fields) == set(sensor.template_fields)
    with pytest.raises(AirflowSensorTimeout):
        sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, {})  # type: ignore[typeddict-item]


def test_another_tasks_output_cannot_start_in_the_triggerer_and_the_remedy_is_named() -> None:
    with DAG("d") as dag:
        submitted = ImageEditOperator(task_id="e", input="https://x.test/a.png", operations={"padding": "5%"})
        for unreadable in (submitted.output, "{{ ti.xcom_pull('e') }}"):
            with pytest.raises(AirflowFailException, match=r"map_indexes=-1.*or use deferrable=True"):
                ClaidJobSensor(task_id=f"w{len(dag.tasks)}", kind="edit", job_id=unreadable, start_from_trigger=True)
        readable = "{{ ti.xcom_pull('e', map_indexes=-1) }}"
        assert ClaidJobSensor(task_id="good", kind="edit", job_id=readable, start_from_trigger=True).start_from_trigger


def test_it_is_templated_maps_and_takes_the_ids_of_an_operator() -> None:
    with DAG("mapped") as dag:
        submitted = ImageEditOperator(
            task_id="e", input="https://x.test/a.png", operations={"padding": "5%"}, wait_for_completion=False
        )
        one = ClaidJobSensor(task_id="one", job_id=submitted.output, kind="edit")
        ClaidJobSensor.partial(task_id="each", kind="edit").expand(job_id=[7, 8])
    assert all(hasattr(one, name) for name in one.template_fields)
    assert dag.get_task("one").upstream_task_ids == {"e"}
    assert dag.get_task("each").is_mapped
