"""The links on a task in a whole Airflow, by its REST API: there while the task runs, and still there at its end."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import Airflow
from tests.support.pictures import noise

DAG = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_claid.operators import ImageEditOperator, ImageGenerationOperator

small = {{"resizing": {{"width": 20, "fit": "bounds"}}}}
with DAG("links", default_args={{"retries": 2, "retry_delay": timedelta(seconds=1)}}):
    ImageGenerationOperator(task_id="unpaid", prompt="ab{{{{ '' }}}}", output="file://{folder}/none/")
    for task_id, deferrable in (("worker", False), ("triggerer", True)):
        ImageEditOperator(
            task_id=task_id, input="storage://shop/a.png", operations=small, metadata={{"dpi": 300}},
            output="file://{folder}/" + task_id + "/", deferrable=deferrable,
        )
"""


def test_the_links_are_there_while_the_tasks_wait_and_when_they_are_done(tmp_path: Path) -> None:
    home, dags, folder = tmp_path / "airflow", tmp_path / "dags", tmp_path / "pictures"
    for directory in (home, dags, folder):
        directory.mkdir()
    (dags / "links.py").write_text(DAG.format(folder=folder))
    (folder / "a.png").write_bytes(noise())
    with Sandbox(SandboxSettings(job_seconds=3600.0)) as sandbox:
        sandbox.connect_storage("shop", bucket="pictures", where=folder)
        claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
        with standalone(Airflow(home, dags, {"claid_default": claid})) as running:
            run_id = running.trigger("links")

            def tab(task_id: str) -> str:
                run = f"{running.url}/dags/links/runs/{quote(run_id, safe='')}"
                return f"{run}/tasks/{task_id}/plugin/claid_images"

            for task_id, state in (("worker", "running"), ("triggerer", "deferred")):
                said = {"Pictures": tab(task_id), "Storage": f"file://{folder}/{task_id}/"}
                running.until(lambda: links_of(running, run_id, task_id) == (state, said), 60)  # noqa: B023
            sandbox.advance(7200)
            running.ended("links", run_id)
            for task_id in ("worker", "triggerer"):
                said = {"Pictures": tab(task_id), "Storage": f"file://{folder}/{task_id}/a.jpg"}
                assert links_of(running, run_id, task_id) == ("success", said)
            assert links_of(running, run_id, "unpaid") == ("failed", {"Pictures": None, "Storage": None})


def links_of(running: Standalone, run_id: str, task_id: str) -> tuple[str, dict[str, str | None]]:
    task = f"dags/links/dagRuns/{run_id}/taskInstances/{task_id}"
    state = running.call("GET", task)["state"]
    return str(state), running.call("GET", f"{task}/links")["extra_links"]
