from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
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
from airflow_claid.sandbox import Sandbox
from airflow_claid.sensors import ClaidImageSensor
from airflow_claid.storage import local_files
from tests.conftest import Connect
from tests.support.pictures import noise, picture
from tests.support.sensing import MODES, SensorTask

ROOT = Path(__file__).parents[3]


def task_in(mode: str, *, remembers: bool = True) -> SensorTask:
    return SensorTask(ClaidImageSensor, mode, remembers=remembers)


@pytest.fixture(params=MODES)
def task(request: pytest.FixtureRequest) -> SensorTask:
    return task_in(request.param)


@pytest.fixture
def account(sandbox: Sandbox, connect: Connect) -> Sandbox:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    return sandbox


def later(seconds: float, act: Callable[[], object]) -> None:
    threading.Timer(seconds, act).start()


def test_pictures_that_are_there_are_given_at_once_in_every_mode(task: SensorTask, tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(noise())
    assert task(output=f"file://{tmp_path}/") == [f"file://{tmp_path}/a.png", f"file://{tmp_path}/b.png"]


def test_pictures_that_come_are_waited_for_in_every_mode(task: SensorTask, tmp_path: Path) -> None:
    (tmp_path / "black.png").write_bytes(picture(1024, 1024, "black"))
    (tmp_path / "half.png").write_bytes(noise()[:900])
    (tmp_path / "sub").mkdir()
    later(0.3, lambda: (tmp_path / "sub" / "a.png").write_bytes(noise()))
    later(0.9, lambda: (tmp_path / "b.png").write_bytes(noise(kind="JPEG")))
    started = time.monotonic()
    found = task(output=f"file://{tmp_path}/", number_of_images="2", recursive="True")
    assert found == [f"file://{tmp_path}/b.png", f"file://{tmp_path}/sub/a.png"]
    assert time.monotonic() - started > 0.8


def test_what_claid_writes_to_a_connected_storage_is_waited_for_in_every_mode(
    task: SensorTask, account: Sandbox, claid: ClaidClient, connect: Connect, tmp_path: Path
) -> None:
    account.connect_storage("shop", bucket="pictures", path="catalogue", where=tmp_path)
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=account.api_key, host=account.url, extra=extra)
    claid.generate_image("nude portrait", output="storage://shop/spring/")
    later(0.5, lambda: claid.generate_image("A linen sofa", output="storage://shop/spring/"))
    (path,) = task(output="storage://shop/spring/")
    assert path.startswith("storage://shop/spring/Claid_")
    assert claid.edit_image(path, {"resizing": {"width": 9}}).output.width == 9


@pytest.mark.parametrize("soft_fail", [False, True])
def test_the_time_to_wait_ends_alike_in_every_mode(task: SensorTask, soft_fail: bool, tmp_path: Path) -> None:
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
        task(output=f"file://{tmp_path}/", timeout=0.4, soft_fail=soft_fail)


@pytest.mark.parametrize(
    ("more", "expected"), [({}, AirflowFailException), ({"soft_fail": True}, AirflowSkipException)]
)
def test_a_storage_that_is_not_mapped_fails_at_once_in_every_mode(
    task: SensorTask, more: dict[str, Any], expected: type[Exception], account: Sandbox
) -> None:
    account.connect_storage("shop", bucket="pictures")
    with pytest.raises(expected) as failed:
        task(output="storage://shop/spring/", **more)
    assert "is not mapped" in str(failed.value) or "is not mapped" in str(failed.value.__cause__)


@pytest.mark.parametrize("output", ["storage://shop/spring/", "gs://nobody_knows@shop/spring/"])
def test_a_connection_that_airflow_does_not_have_fails_at_once_in_every_mode(task: SensorTask, output: str) -> None:
    with pytest.raises(AirflowFailException, match="nobody_knows"):
        task(output=output, claid_conn_id="nobody_knows")


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, PollFailedError), ({"soft_fail": True}, PollFailedError), ({"never_fail": True}, AirflowSkipException)],
)
def test_failing_polls_end_alike_in_every_mode(
    task: SensorTask, more: dict[str, Any], expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    polls = []

    def refuse(path: str, **options: Any) -> object:
        polls.append(path)
        raise TimeoutError("the bucket is slow today")

    monkeypatch.setattr(local_files, "infos_in", refuse)
    with pytest.raises(expected):
        task(output="file:///srv/pictures/", **more)
    assert len(polls) >= 5


def test_a_few_failing_polls_pass_in_every_mode(
    task: SensorTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(noise())
    failures, infos_in = [0], local_files.infos_in

    def sometimes(path: str, **options: Any) -> Any:
        failures[0] += 1
        if failures[0] <= 4:
            raise TimeoutError("the bucket is slow today")
        return infos_in(path, **options)

    monkeypatch.setattr(local_files, "infos_in", sometimes)
    assert len(task(output=f"file://{tmp_path}/")) == 1
    assert not any(task.memory.values())


def test_in_reschedule_mode_without_airflows_memory_the_first_failing_poll_ends_the_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: str, **options: Any) -> object:
        raise TimeoutError("the bucket is slow today")

    monkeypatch.setattr(local_files, "infos_in", refuse)
    with pytest.raises(PollFailedError, match="failed polls in a row: 1"):
        task_in("reschedule", remembers=False)(output="file:///srv/pictures/")


@pytest.mark.parametrize(
    ("parameters", "remedy"),
    [
        ({"output": ""}, "must be a folder or file"),
        ({"output": "/srv/a"}, "use 'file:///srv/a/'"),
        ({"output": "storage://shop/a"}, "use 'storage://shop/a/'"),
        ({"number_of_images": 0}, "1 or more"),
        ({"output": "s3://shop/a.png", "number_of_images": 2}, "wait for the folder"),
        ({"output": "https://dl.claid.ai/a.png", "number_of_images": 2}, "wait for the folder"),
        ({"recursive": "perhaps"}, "true or false"),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed_or_the_task_starts(
    parameters: dict[str, Any], remedy: str, task: SensorTask
) -> None:
    good = {"output": "s3://shop/a/"}
    with pytest.raises(AirflowFailException, match=remedy):
        task.sensor(**{**good, **parameters})
    templated = task.sensor(**{**good, **dict.fromkeys(parameters, "{{ params.value }}")})
    for name, value in parameters.items():
        setattr(templated, "output_path" if name == "output" else name, str(value))
    with pytest.raises(AirflowFailException, match=remedy):
        templated.execute({"ti": task})  # type: ignore[typeddict-item]


def test_a_deferred_wait_ends_by_the_triggers_deadline_before_airflow_ends_it(tmp_path: Path) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        task_in("deferrable").sensor(output=f"file://{tmp_path}/", timeout=60).execute({})  # type: ignore[typeddict-item]
    trigger = deferred.value.trigger
    assert 58 < trigger.deadline - time.time() <= 60
    assert deferred.value.timeout is not None
    assert deferred.value.timeout.total_seconds() > 60


def test_it_is_templated_maps_and_hands_on_its_output() -> None:
    from airflow_claid.operators import ImageUpscaleOperator

    sensor = ClaidImageSensor(task_id="w", output="s3://shop/{{ ds }}/")
    assert all(hasattr(sensor, name) for name in sensor.template_fields)
    with DAG("mapped") as dag:
        ClaidImageSensor.partial(task_id="wait").expand(output=["s3://shop/a/", "s3://shop/b/"])
        one = ClaidImageSensor(task_id="one", output="s3://shop/a/")
        ImageUpscaleOperator(task_id="upscale", input=one.output, output="s3://shop/large/")
    assert dag.get_task("upscale").upstream_task_ids == {"one"}
    assert dag.get_task("wait").is_mapped


@pytest.mark.commands
def test_importing_the_sensors_loads_nothing_heavy_and_opens_nothing() -> None:
    script = (
        "import sys, socket\n"
        "import airflow.sdk.bases.sensor, airflow.sdk.exceptions, airflow.sdk.io, airflow.triggers.base\n"
        "before = set(sys.modules)\n"
        "def refuse(*arguments): raise AssertionError('opened a socket')\n"
        "socket.socket.connect = refuse\n"
        "import airflow_claid.sensors, airflow_claid.operators\n"
        "from airflow_claid.sensors import ClaidImageSensor\n"
        "ClaidImageSensor(task_id='w', output='s3://shop/a/')\n"
        "print([name for name in set(sys.modules) - before if name.startswith(tuple(sys.argv[1:]))])\n"
    )
    heavy = ("PIL", "boto3", "botocore", "s3fs", "gcsfs", "google.cloud", "fastapi", "uvicorn", "sqlalchemy")
    done = subprocess.run([sys.executable, "-c", script, *heavy], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip().splitlines()[-1] == "[]"
