"""Jobs waited for in the triggerer of a whole Airflow: one that is killed in the middle, and one that begins there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.client.quota.quota import Quota
from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import Airflow

DAGS = """
from airflow.sdk import DAG, task
from airflow_claid.operators import ImageEditOperator
from airflow_claid.sensors import ClaidJobSensor

with DAG("deferred", params={"link": ""}):
    ImageEditOperator(
        task_id="edit", input="{{ params.link }}", operations={"resizing": {"width": 9}}, name="vase",
        output="file://FOLDER/", deferrable=True, poll_interval=1,
    )

with DAG("from_trigger", params={"job_id": ""}):
    literal = ClaidJobSensor(task_id="literal", job_id=JOB, kind="edit", poke_interval=1, start_from_trigger=True)

    @task
    def submitted(params=None):
        return [params["job_id"]]

    ClaidJobSensor(
        task_id="templated", job_id="{{ ti.xcom_pull('submitted', map_indexes=-1) }}", kind="edit", poke_interval=1,
        timeout=100, start_from_trigger=True,
    ) << submitted()
"""


@pytest.fixture(scope="module")
def claid_of_module() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(quota="6000/60,100/1", image_size=64)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def link(claid_of_module: Sandbox) -> str:
    with client_of(claid_of_module) as client:
        return client.generate_image("A blue vase").output[0].tmp_url or ""


@pytest.fixture(scope="module")
def waiting_job(claid_of_module: Sandbox, link: str) -> int:
    """The id of a job that stands still until the clock is told to go ahead by an hour."""
    claid_of_module.fault("job_status", status="PAUSED", seconds=3600)
    with client_of(claid_of_module) as client:
        return client.submit_edit(link, {"resizing": {"width": 8}}).id


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deferred")


@pytest.fixture(scope="module")
def running(folder: Path, claid_of_module: Sandbox, waiting_job: int) -> Iterator[Standalone]:
    home, dags = folder / "airflow", folder / "dags"
    home.mkdir()
    dags.mkdir()
    (dags / "jobs.py").write_text(DAGS.replace("FOLDER", f"{folder}/out").replace("JOB", str(waiting_job)))
    claid = {"conn_type": "claid", "password": claid_of_module.api_key, "host": claid_of_module.url}
    airflow = Airflow(home, dags, {"claid_default": claid})
    airflow.settings = {
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
    }
    with standalone(airflow) as running:
        yield running


def client_of(sandbox: Sandbox) -> ClaidClient:
    return ClaidClient(sandbox.api_key, sandbox.url, quota=Quota(()))


def looks(sandbox: Sandbox) -> int:
    return len(sandbox.ledger("get_edit"))


def state(running: Standalone, dag_id: str, run_id: str, task_id: str) -> str:
    return str(running.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")["state"])


def processes_of(service: int) -> list[psutil.Process]:
    """Return the process of a service, and those that it has started."""
    process = psutil.Process(service)
    return [process, *process.children(recursive=True)]


def test_a_wait_begins_in_the_triggerer_with_a_literal_id_and_with_one_of_a_template(
    running: Standalone, claid_of_module: Sandbox, waiting_job: int
) -> None:
    sandbox = claid_of_module
    run_id = running.trigger("from_trigger", {"job_id": waiting_job})
    running.until(lambda: state(running, "from_trigger", run_id, "templated") == "deferred", 60)
    assert state(running, "from_trigger", run_id, "literal") == "deferred"
    before = looks(sandbox)
    running.until(lambda: looks(sandbox) >= before + 4, 60)
    logs = running.airflow.home / "logs" / "dag_id=from_trigger" / f"run_id={run_id}"
    assert not list(logs.glob("task_id=literal/*=1.log")), "a worker has run it"
    sandbox.advance(3700)
    assert running.ended("from_trigger", run_id, 60) == "success", running.logs()[-3000:]
    for task_id in ("literal", "templated"):
        (address,) = running.xcom("from_trigger", run_id, task_id)
        assert address.startswith(f"{sandbox.url}/tmp/")


def test_a_triggerer_that_is_killed_during_the_wait_costs_nothing(
    running: Standalone, claid_of_module: Sandbox, link: str, folder: Path
) -> None:
    sandbox = claid_of_module
    charged, submitted = sandbox.charged(), len(sandbox.ledger("submit_edit"))
    sandbox.fault("job_status", status="PAUSED", seconds=3600)
    before = looks(sandbox)
    run_id = running.trigger("deferred", {"link": link})
    running.until(lambda: looks(sandbox) >= before + 3, 60)
    assert state(running, "deferred", run_id, "edit") == "deferred"
    for process in processes_of(running.services["triggerer"]):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    time.sleep(0.5)
    before = looks(sandbox)
    running.airflow.start("triggerer", name="new-triggerer")
    running.until(lambda: looks(sandbox) >= before + 2, 90)
    assert state(running, "deferred", run_id, "edit") == "deferred"
    sandbox.advance(3700)
    assert running.ended("deferred", run_id, 60) == "success", running.logs()[-3000:]
    (path,) = running.xcom("deferred", run_id, "edit")
    assert path == f"file://{folder}/out/vase.jpg"
    assert [file.name for file in (folder / "out").glob("*.jpg")] == ["vase.jpg"]
    assert len(list((folder / "out" / "_claid").glob("*.json"))) == 1
    assert running.xcom("deferred", run_id, "edit", "credits") == 1
    assert sandbox.charged() == charged + 1
    assert len(sandbox.ledger("submit_edit")) == submitted + 1
    assert sandbox.api_key not in running.logs()
