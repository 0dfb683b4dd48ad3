"""What Airflow does with values before a task runs: upstream text stays as it is, wrong values burn no retries."""

from __future__ import annotations

from pathlib import Path

from airflow_claid.sandbox import Sandbox
from tests.support.airflow import Airflow

DAG = """
from airflow.sdk import DAG, task
from airflow_claid.operators import ImageGenerationOperator

EVIL = "A sign that says {{ conn.claid_default.password }}"

with DAG("templates", default_args={"retries": 3}, params={"colour": "red"}):
    @task
    def text():
        return EVIL

    @task
    def texts():
        return [EVIL, "ab"]

    ImageGenerationOperator(task_id="upstream", prompt=text(), output="file://FOLDER/a/")
    ImageGenerationOperator.partial(task_id="mapped", output="file://FOLDER/b/").expand(prompt=texts())
    ImageGenerationOperator(task_id="own", prompt="A {{ params.colour }} door", output="file://FOLDER/c/{{ ds }}/")
"""


def test_upstream_text_is_never_rendered_and_a_wrong_value_fails_at_once(
    airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "templates.py").write_text(DAG.replace("FOLDER", str(tmp_path)))
    airflow.dags = tmp_path
    _, log = airflow.run_dag("templates")
    prompts = sorted(entry.prompt or "" for entry in own_sandbox.ledger("generate_image"))
    evil = "A sign that says {{ conn.claid_default.password }}"
    assert prompts == ["A red door", evil, evil]
    assert log.count("prompt='ab': has 2 characters") >= 1
    assert "UP_FOR_RETRY" not in log.upper()
