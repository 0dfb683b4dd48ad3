"""A real Airflow: DAGs that new pictures start, the names of mapped tasks, and what OpenLineage is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import Airflow
from tests.support.pictures import noise

DAG = """
from airflow.sdk import DAG, Asset, AssetAlias, task
from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator

with DAG("makes", params={{"prompt": ""}}):
    ImageGenerationOperator(
        task_id="one", prompt="{{{{ params.prompt }}}}", output="file://{folder}/one/",
        outlets=[Asset("one"), AssetAlias("any")],
    )
    ImageGenerationBatchOperator(
        task_id="many", prompts=["{{{{ params.prompt }}}}", "A chair"], output="file://{folder}/many/",
        outlets=[Asset("many")],
    )

for schedule in (Asset("one"), Asset("many"), AssetAlias("any")):
    with DAG(f"after_{{schedule.name}}", schedule=schedule):
        @task
        def started(triggering_asset_events=None):
            return [event.extra for events in triggering_asset_events.values() for event in events]

        started()

with DAG("names", render_template_as_native_obj=True):
    named = [{{"prompt": "A lamp", "name": "2002"}}, {{"prompt": "A vase", "name": "VASE"}}]
    ImageGenerationOperator.partial(task_id="by_name", output="file://{folder}/by_name/").expand_kwargs(named)
    ImageGenerationOperator.partial(
        task_id="by_number", output="file://{folder}/by_number/", map_index_template="{{{{ 7000 + ti.map_index }}}}"
    ).expand_kwargs(named)
"""

AFTER = ("after_one", "after_many", "after_any")

LINEAGE = """
from airflow.sdk import DAG
from airflow_claid.operators import ImageResizeOperator

with DAG("lineage"):
    ImageResizeOperator(task_id="resize", input="file://{folder}/in.png", width=20, output="file://{folder}/small/")
"""


def test_new_pictures_start_dags_and_mapped_tasks_are_called_by_their_names(tmp_path: Path) -> None:
    home, dags, folder = tmp_path / "airflow", tmp_path / "dags", tmp_path / "pictures"
    for directory in (home, dags, folder):
        directory.mkdir()
    (dags / "assets.py").write_text(DAG.format(folder=folder))
    with Sandbox(SandboxSettings(image_size=64)) as sandbox:
        claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
        with standalone(Airflow(home, dags, {"claid_default": claid}), seconds=300, parallelism=2) as running:
            _assets(running, sandbox, folder)
            _names(running)


def _assets(running: Standalone, sandbox: Sandbox, folder: Path) -> None:
    for dag in AFTER:
        running.until(lambda: bool(running.call("GET", f"dags?dag_id_pattern={dag}")["dags"]), 240)  # noqa: B023
    started = []
    for prompt, runs in (("A lamp", 1), ("A lamp", 1), ("A vase", 2)):
        run = running.trigger("makes", {"prompt": prompt})
        assert running.ended("makes", run, 300) == "success", running.logs()[-3000:]
        for dag in AFTER:
            running.until(lambda: [state for _, state in running.runs(dag)] == ["success"] * runs, 240)  # noqa: B023
        started.append((sandbox.charged(), _events(running)))
    once, twice = ["any", "many", "one"], ["any", "any", "many", "many", "one", "one"]
    assert started == [(3, once), (3, once), (5, twice)]
    for dag in AFTER:
        told = [running.xcom(dag, run, "started") for run, _ in running.runs(dag)]
        assert all(path.startswith(f"file://{folder}/") for extras in told for path in extras[0]["paths"])
        assert all(("manifest" in extras[0]) == (dag == "after_many") for extras in told)


def _events(running: Standalone) -> list[str]:
    """Return the asset of each event so far; that of the alias by the alias's name."""
    events = running.call("GET", "assets/events?limit=100")["asset_events"]
    names = [str(event.get("name") or event.get("uri")) for event in events]
    return sorted(name if name in ("one", "many") else "any" for name in names)


def _names(running: Standalone) -> None:
    run = running.trigger("names")
    assert running.ended("names", run) == "success", running.logs()[-3000:]
    instances = running.call("GET", f"dags/names/dagRuns/{run}/taskInstances")["task_instances"]
    shown = sorted((each["task_id"], each["map_index"], each["rendered_map_index"]) for each in instances)
    assert shown == [
        ("by_name", 0, "2002"),
        ("by_name", 1, "VASE"),
        ("by_number", 0, "7000"),
        ("by_number", 1, "7001"),
    ]


def test_openlineage_is_told_what_was_read_and_what_was_written(airflow: Airflow, tmp_path: Path) -> None:
    dags, folder, written = tmp_path / "dags", tmp_path / "pictures", tmp_path / "lineage.jsonl"
    for directory in (dags, folder):
        directory.mkdir()
    (dags / "lineage.py").write_text(LINEAGE.format(folder=folder))
    (folder / "in.png").write_bytes(noise())
    transport = {"type": "file", "log_file_path": str(written), "append": True}
    own = replace(airflow, dags=dags, settings={"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport)})
    status, log = own.run_dag("lineage")
    assert status == 0, log[-4000:]
    events = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    (event,) = (one for one in events if one["job"]["name"] == "lineage.resize" and one["eventType"] == "COMPLETE")
    assert [(one["namespace"], one["name"]) for one in event["inputs"]] == [("file", f"{folder}/in.png")]
    assert [(one["namespace"], one["name"]) for one in event["outputs"]] == [("file", f"{folder}/small/in.jpg")]
