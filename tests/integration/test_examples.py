"""Every example DAG, run to its end in one Airflow against one local Claid, twice: the second run pays nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.settings import all_quotas
from tests.support.airflow import ROOT, Airflow
from tests.support.scripts import script

EXAMPLES = ROOT / "dags_examples"
ONE_BY_ONE = """
import importlib.util, json, sys, urllib.request

folder, claid, *runs = sys.argv[1:]

def ledger():
    with urllib.request.urlopen(claid + "/sandbox/ledger") as answer:
        return [entry["operation"] for entry in json.load(answer)]

told = {}
for run in runs:
    name, conf = json.loads(run)
    spec = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = len(ledger())
    dag = getattr(module, name)()
    dag.deadline = None  # dag.test() of Airflow 3.3.2 fails on a DAG that has one
    result = dag.test(run_conf=conf)
    told[name] = {"state": result.state.value, "asked": sorted(set(ledger()[before:]))}
print("TOLD", json.dumps(told))
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
    "decorators": 3 + 3,
    "connected_storage": 1,
    "nightly_photos": 3,
    "catalogue_chain": 3 * 3,
    "deadline": 2,
    "daily_partitions": 3,
}
"""What a first run of each costs. No second run of ``connected_storage`` finds receipts: its storage is not mapped."""


def test_every_example_is_run_here_or_in_a_test_of_its_own() -> None:
    others = [file.read_text(encoding="utf-8") for file in ROOT.glob("tests/**/test_*.py") if file != Path(__file__)]
    for example in {file.stem for file in EXAMPLES.glob("*.py")} - set(CREDITS):
        assert any(f'"{example}"' in test or f"{example}.py" in test for test in others), f"no test runs {example}"


def test_the_examples_run_and_a_second_run_pays_nothing(warm_airflow: Airflow, tmp_path: Path) -> None:
    settings = SandboxSettings(**all_quotas(""), job_seconds=0.1, image_size=320, buckets={"*": str(tmp_path)})
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
        airflow = replace(warm_airflow, connections=connections, settings={})
        first = run_each(airflow, sandbox, tmp_path)
        assert {name: run["state"] for name, run in first.items()} == dict.fromkeys(first, "success")
        assert sandbox.charged() == sum(CREDITS.values())
        sandbox.connect_storage("spring", bucket="shop-pictures", access_key="another")
        second = run_each(airflow, sandbox, tmp_path)
        assert {name: run["state"] for name, run in second.items()} == dict.fromkeys(second, "success")
        assert sandbox.charged() == sum(CREDITS.values()) + CREDITS["connected_storage"]
        asked = Counter(entry.operation for entry in sandbox.ledger())
    assert asked["submit_batch_edit"] == asked["submit_fashion_model"] == asked["submit_video"] == 1
    assert asked["create_storage"] == asked["update_storage"] == 1
    for operation, example in script("operations_page").EXAMPLE.items():
        assert operation in {*first[example]["asked"], *second[example]["asked"]}, f"{example} asked no {operation}"
    assert len(list((shop / "batch_edit" / "list").glob("*.jpeg"))) == 3
    assert (shop / "image_to_video" / "boat.mp4").read_bytes()[4:8] == b"ftyp"
    assert len(list((shop / "sofas").rglob("*.png"))) == 2
    assert {file.name for file in (tmp_path / "image_generation").glob("*.png")} == {
        f"{name}_{n}.png" for name in ("SOFA", "LAMP") for n in (1, 2)
    }


def test_the_deadline_of_the_example_is_stored_with_its_callback() -> None:
    spec = importlib.util.spec_from_file_location("deadline", EXAMPLES / "deadline.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (alert,) = DagSerialization.serialize_dag(module.deadline())["deadline"]
    assert "SmtpNotifier" in json.dumps(alert, default=str)


def run_each(airflow: Airflow, sandbox: Sandbox, folder: Path) -> dict[str, dict[str, Any]]:
    """Run the DAGs one after the other in one process; tell how each ended and what it asked of Claid."""
    local = {
        name: {"output": f"file://{folder}/{name}/"}
        for name in (
            "image_generation",
            "image_editing",
            "decorators",
            "nightly_photos",
            "deadline",
            "daily_partitions",
        )
    }
    local["catalogue_chain"] = {"output": f"file://{folder}/shop-pictures/catalogue_chain/"}
    runs = [json.dumps([name, local.get(name, {})]) for name in CREDITS]
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE, str(EXAMPLES), sandbox.url, *runs],
        env=airflow.environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=400,
        cwd=airflow.home,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    if not told:
        pytest.fail((done.stdout + done.stderr)[-4000:])
    runs_told: dict[str, dict[str, Any]] = json.loads(told[-1].removeprefix("TOLD "))
    return runs_told
