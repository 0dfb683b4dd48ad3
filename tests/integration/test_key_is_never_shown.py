"""The API key in a real Airflow at DEBUG: logs, errors, XCom, rendered fields, receipts, the database."""

from __future__ import annotations

import textwrap
from pathlib import Path

from airflow_claid.sandbox import KeySettings, Sandbox, SandboxSettings
from tests.integration.conftest import Airflow

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


def test_the_key_appears_nowhere(airflow_home: Path, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "secrets.py").write_text(textwrap.dedent(DAG.format(folder=tmp_path / "pictures")))
    with Sandbox(SandboxSettings(keys=(KeySettings(KEY),))) as sandbox:
        sandbox.fault("cut", prompt="A cut door", charged=True)
        claid = {"conn_type": "claid", "password": KEY, "host": sandbox.url}
        airflow = Airflow(airflow_home, dags)
        airflow.connections = {
            "claid_default": claid,
            "claid_wrong": {**claid, "password": f"{KEY}-wrong"},
            "claid_nowhere": {**claid, "host": "http://127.0.0.1:9"},
        }
        airflow.settings = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
        _, log = airflow.run_dag("secrets")
    assert "401" in log
    assert "could not reach" in log
    assert "the answer did not arrive" in log
    assert "[debug" in log
    assert KEY not in log
    assert KEY.encode() not in (airflow_home / "airflow.db").read_bytes()
    receipts = list((tmp_path / "pictures").rglob("_claid/*.json"))
    assert len(receipts) == 2
    assert not any(KEY in receipt.read_text() for receipt in receipts)
