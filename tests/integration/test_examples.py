"""Every example DAG, run to its end in one Airflow against one local Claid, twice: the second run pays nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.conftest import ROOT, Airflow

EXAMPLES = ROOT / "dags_examples"
ONE_BY_ONE = """
import importlib.util, json, sys
from airflow.sdk import DAG

folder, *runs = sys.argv[1:]
ended = {}
for run in runs:
    name, conf = json.loads(run)
    spec = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dag = getattr(module, name)()
    result = dag.test(run_conf=conf)
    ended.setdefault(name, []).append(str(result.state.value))
print("ENDED", json.dumps(ended))
"""
CREDITS = {
    "image_generation": 4,
    "image_editing": 5,
    "ai_edit": 1 + 4,
    "background": 1 + 1 + 1 + 1,
    "fashion_models": 2 + 2,
    "image_to_video": 1 + 35,
    "batch_edit": 3 + 3,
    "waiting": 1 + 2,
}
"""What a first run of each costs."""


def test_every_example_is_run_here_or_in_a_test_of_its_own() -> None:
    assert {file.stem for file in EXAMPLES.glob("*.py")} == {*CREDITS, "connected_storage", "product_catalogue"}


def test_the_examples_run_and_a_second_run_pays_nothing(airflow_home: Path, tmp_path: Path) -> None:
    settings = SandboxSettings(
        quota="", creative_quota="", video_quota="", job_seconds=0.1, buckets={"*": str(tmp_path)}
    )
    with Sandbox(settings) as sandbox:
        sandbox.connect_storage("shop", bucket="shop-pictures")
        shop = tmp_path / "shop-pictures"
        connections = {
            "claid_default": {
                "conn_type": "claid",
                "password": sandbox.api_key,
                "host": sandbox.url,
                "extra": {"storages": {"shop": f"file://{shop}"}},
            },
            "aws_default": {"conn_type": "aws", "login": "key", "password": "secret"},
        }
        airflow = Airflow(airflow_home, connections=connections)
        for names in ([*CREDITS, "connected_storage"], [*CREDITS]):
            before = sandbox.charged()
            ended = run_each(airflow, names, tmp_path)
            assert ended == {name: ["success"] for name in names}
            spent = sandbox.charged() - before
            assert spent == (sum(CREDITS.values()) + 1 if "connected_storage" in names else 0)
        asked = Counter(entry.operation for entry in sandbox.ledger())
    assert asked["submit_batch_edit"] == asked["submit_fashion_model"] == asked["submit_video"] == 1
    assert asked["create_storage"] == asked["delete_storage"] == 1
    assert len(list((shop / "batch_edit" / "list").glob("*.jpeg"))) == 3
    assert (shop / "image_to_video" / "boat.mp4").read_bytes()[4:8] == b"ftyp"
    assert len(list((shop / "sofas").rglob("*.png"))) == 1
    assert {file.name for file in (tmp_path / "image_generation").glob("*.png")} == {
        f"{name}_{n}.png" for name in ("SOFA", "LAMP") for n in (1, 2)
    }


def run_each(airflow: Airflow, names: list[str], folder: Path) -> dict[str, list[str]]:
    """Run DAGs one after the other in one process; tell how each ended."""
    local = {name: {"output": f"file://{folder}/{name}/"} for name in ("image_generation", "image_editing")}
    runs = [json.dumps([name, local.get(name, {})]) for name in names]
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE, str(EXAMPLES), *runs],
        env=airflow.environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=400,
        cwd=airflow.home,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("ENDED ")]
    if not told:
        pytest.fail((done.stdout + done.stderr)[-4000:])
    ended: dict[str, list[str]] = json.loads(told[-1].removeprefix("ENDED "))
    return ended
