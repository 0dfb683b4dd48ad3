"""A whole catalogue in one task of a real Airflow; the next task reads what became of it."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_claid.sandbox import Sandbox
from tests.support.airflow import Airflow

DAG = """
import json
from airflow.sdk import DAG, ObjectStoragePath, task
from airflow_claid.operators import ImageGenerationBatchOperator

with DAG("catalogue") as dag:
    @task
    def prompts():
        return [{"prompt": "A stoneware vase", "name": "VASE"}, "A wool rug in ochre and cream"]

    from_file = ImageGenerationBatchOperator(
        task_id="from_file", prompts="file://FOLDER/prompts.csv", output="file://FOLDER/pictures/", error_threshold=0.5
    )
    from_task = ImageGenerationBatchOperator(
        task_id="from_task", prompts=prompts(), output="file://FOLDER/pictures/"
    )

    @task
    def read(first, second):
        rows = [json.loads(line) for one in (first, second) for line in ObjectStoragePath(one).read_text().splitlines()]
        ObjectStoragePath("file://FOLDER/read.json").write_text(json.dumps(rows))

    read(from_file.output["manifest"], from_task.output["manifest"])
"""


def test_the_next_task_reads_the_manifest_and_a_second_run_pays_nothing(
    airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    airflow.dags = tmp_path / "dags"
    airflow.dags.mkdir()
    (airflow.dags / "catalogue.py").write_text(DAG.replace("FOLDER", str(tmp_path)))
    prompts = ["A brass lamp", "A linen sofa", "nude portrait", "ab", "A brass lamp"]
    (tmp_path / "prompts.csv").write_text("\n".join(["prompt", *prompts]))
    for _ in range(2):
        status, log = airflow.run_dag("catalogue")
        assert status == 0, log[-3000:]
        rows = json.loads((tmp_path / "read.json").read_bytes())
        assert [row["status"] for row in rows] == ["done", "done", "blocked", "invalid", "duplicate", "done", "done"]
        assert all(Path(path.removeprefix("file://")).exists() for row in rows for path in row.get("paths", ()))
        assert own_sandbox.charged() == 5
        assert own_sandbox.api_key not in log
    assert "5 of 5 items" in log
