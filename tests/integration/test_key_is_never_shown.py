"""The API key in a real Airflow at DEBUG: logs, errors, XCom, rendered fields, receipts, the database."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_claid.sandbox import KeySettings, Sandbox, SandboxSettings
from tests.integration.standalone import standalone
from tests.support.airflow import Airflow

KEY = "k3y-that-must-not-be-seen-4711"

DAG = """
from airflow.sdk import DAG
from airflow_claid.operators import ImageGenerationOperator, ImageResizeOperator

with DAG("secrets", params={{"evil": "{{{{ conn.claid_default.password }}}}"}}):
    good = ImageGenerationOperator(task_id="good", prompt="A green door", output="file://{folder}/")
    ImageResizeOperator(task_id="small", input=good.output, width=90, output="file://{folder}/small/")
    ImageGenerationOperator(task_id="temporary", prompt="A yellow door")
    ImageGenerationOperator(task_id="unknown_key", prompt="A red door", claid_conn_id="claid_wrong")
    ImageGenerationOperator(task_id="nowhere", prompt="A blue door", claid_conn_id="claid_nowhere")
    ImageGenerationOperator(task_id="cut", prompt="A cut door")
"""


def test_the_key_appears_nowhere(tmp_path: Path) -> None:
    home, dags = tmp_path / "airflow", tmp_path / "dags"
    home.mkdir()
    dags.mkdir()
    (dags / "secrets.py").write_text(DAG.format(folder=tmp_path / "pictures"))
    with Sandbox(SandboxSettings(keys=(KeySettings(KEY),))) as sandbox:
        sandbox.fault("cut", prompt="A cut door", charged=True)
        claid = {"conn_type": "claid", "password": KEY, "host": sandbox.url}
        airflow = Airflow(home, dags)
        airflow.connections = {
            "claid_default": claid,
            "claid_wrong": {**claid, "password": f"{KEY}-wrong"},
            "claid_nowhere": {**claid, "host": "http://127.0.0.1:9"},
        }
        airflow.settings = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
        with standalone(airflow) as running:
            run_id = running.trigger("secrets")
            assert running.ended("secrets", run_id) == "failed"
            rendered = running.call("GET", f"dags/secrets/dagRuns/{run_id}/taskInstances?limit=100")
            log = running.logs()
            printed = running.output()
    for said in ("answered 401", "could not reach", "the answer did not arrive", '"level":"debug"', " spent"):
        assert said in log
    assert KEY not in log
    assert KEY not in json.dumps(rendered)
    assert "A green door" in json.dumps(rendered)
    database = b"".join(file.read_bytes() for file in home.glob("airflow.db*"))
    assert b"A green door" in database
    assert KEY.encode() not in database
    assert "airflow.jobs.scheduler_job_runner" in printed
    assert KEY not in printed
    receipts = list((tmp_path / "pictures").rglob("_claid/*.json"))
    assert len(receipts) == 2
    assert not any(KEY in receipt.read_text() for receipt in receipts)
