"""The catalogue run again, cleared and backfilled in a whole Airflow: paid once, by the sandbox's own ledger."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import ROOT, Airflow
from tests.support.postgresql import database, for_sqlalchemy

DAGS = """
from airflow.sdk import DAG
from airflow_claid.operators import ImageGenerationOperator

with DAG("again", params={"regenerate": False}) as dag:
    ImageGenerationOperator(
        task_id="generate", prompt="A lamp", output="file://FOLDER/again/", regenerate="{{ params.regenerate }}"
    )

with DAG("together", params={"n": 1}, max_active_runs=4) as dag:
    for task_id in ("first", "second", "third"):
        ImageGenerationOperator(task_id=task_id, prompt="Three at once", name="X", output="file://FOLDER/together/")

with DAG("quota") as dag:
    ImageGenerationOperator(task_id="generate", prompt="A patient lamp", claid_conn_id="claid_impatient", retries=1)
"""


@pytest.fixture(scope="module")
def sandbox_of_module() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(quota="", job_seconds=0.1)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("paid-once")


@pytest.fixture(scope="module")
def running(folder: Path, sandbox_of_module: Sandbox, postgresql: str) -> Iterator[Standalone]:
    """Airflow on PostgreSQL.

    With SQLite, ``backfill create`` beside a busy scheduler may find the database locked; it then deletes the runs that
    it was about to clear, and the scheduler, which was starting them, dies (``_cleanup_partial_backfill``, 3.3.2).
    """
    home, dags = folder / "airflow", folder / "dags"
    home.mkdir()
    dags.mkdir()
    (dags / "again.py").write_text(DAGS.replace("FOLDER", str(folder)))
    catalogue = (ROOT / "dags_examples" / "product_catalogue.py").read_text(encoding="utf-8")
    (dags / "product_catalogue.py").write_text(
        catalogue.replace("file:///tmp/product_catalogue/", f"file://{folder}/c/")
    )
    (dags / "data").mkdir()
    products = (ROOT / "dags_examples" / "data" / "products.csv").read_text(encoding="utf-8").splitlines()
    few = [line for line in products if line.startswith(("sku", "LT-2001", "PS-1501", "XX-0001"))]
    (dags / "data" / "products.csv").write_text("\n".join(few), encoding="utf-8")
    days = (ROOT / "dags_examples" / "backfill_catalogue.py").read_text(encoding="utf-8")
    (dags / "backfill_catalogue.py").write_text(
        days.replace("file:///tmp/backfill_catalogue/", f"file://{folder}/days/")
    )
    shutil.copytree(ROOT / "dags_examples" / "data" / "catalogue", dags / "data" / "catalogue")
    claid = {"conn_type": "claid", "password": sandbox_of_module.api_key, "host": sandbox_of_module.url}
    impatient = {**claid, "extra": {"max_wait": 0}}
    with database(postgresql) as address:
        settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": for_sqlalchemy(address)}
        airflow = Airflow(home, dags, {"claid_default": claid, "claid_impatient": impatient}, settings)
        with standalone(airflow) as running:
            yield running


def test_the_catalogue_run_again_cleared_and_backfilled_charges_nothing_the_second_time(
    running: Standalone, sandbox_of_module: Sandbox
) -> None:
    sandbox = sandbox_of_module
    dag = "product_catalogue"
    running.until(lambda: [state for _, state in running.runs(dag)] == ["success"], 300)
    (scheduled, _) = running.runs(dag)[0]
    paid = charged_by(sandbox, "Lampe", "Nude")
    assert paid == 1 + 1
    assert sandbox.ledger("upload_and_edit")[-1].credits == 1

    second = running.trigger(dag)
    assert running.ended(dag, second) == "success"
    everything = sandbox.charged()
    running.clear(dag, scheduled)
    running.until(lambda: running.state(dag, scheduled) not in ("success", "failed"), 30)
    assert running.ended(dag, scheduled) == "success"

    for reprocess in ("none", "completed"):
        days = ("--from-date", "2026-03-01", "--to-date", "2026-03-07", "--reprocess-behavior", reprocess)
        create = ("backfill", "create", "--dag-id", dag, *days)
        running.until(lambda create=create: running.airflow(*create).returncode == 0, 300)
        running.until(lambda: [state for _, state in running.runs(dag, "backfill")] == ["success"] * 7, 300)
    assert charged_by(sandbox, "Lampe", "Nude") == paid
    assert sandbox.charged() == everything


def test_a_catalogue_of_days_is_backfilled_and_backfilled_again_for_nothing(
    running: Standalone, sandbox_of_module: Sandbox, folder: Path
) -> None:
    sandbox = sandbox_of_module
    dag = "backfill_catalogue"
    files = (ROOT / "dags_examples" / "data" / "catalogue").glob("*.csv")
    prompts = {row["prompt"] for file in files for row in csv.DictReader(file.open(encoding="utf-8")) if row["prompt"]}
    days = ("--from-date", "2026-03-01", "--to-date", "2026-03-03")
    for reprocess in ("none", "completed"):
        create = ("backfill", "create", "--dag-id", dag, *days, "--reprocess-behavior", reprocess)
        running.until(lambda create=create: running.airflow(*create).returncode == 0, 300)
        running.until(lambda: [state for _, state in running.runs(dag, "backfill")] == ["success"] * 3, 300)
        runs = [run_id for run_id, _ in running.runs(dag, "backfill")]
        summaries = {run_id: running.xcom(dag, run_id, "pictures") for run_id in runs}
        assert sorted(summary["items"] for summary in summaries.values()) == [2, 3, 3]
        paid = 6 if reprocess == "none" else 0
        assert sum(summary["credits"] for summary in summaries.values()) == paid
        assert charged_by(sandbox, *prompts) == len(prompts) == 6
    shown = [json.loads((folder / "days" / f"2026-03-0{day}.json").read_bytes()) for day in (1, 2, 3)]
    assert [[product["sku"] for product in products] for products in shown] == [
        ["CH-3001", "CH-3002", "LT-3001"],
        ["TB-3001", "LT-3001"],
        ["RG-3001", "VS-3001"],
    ]


def charged_by(sandbox: Sandbox, *prompts: str) -> float:
    entries = sandbox.ledger("generate_image")
    return sum(entry.credits for entry in entries if any(prompt in (entry.prompt or "") for prompt in prompts))


def test_with_regenerate_a_new_run_and_a_clear_charge_again(running: Standalone, sandbox_of_module: Sandbox) -> None:
    sandbox = sandbox_of_module
    before = sandbox.charged()

    def run(regenerate: bool) -> str:
        run_id = running.trigger("again", {"regenerate": regenerate})
        assert running.ended("again", run_id) == "success"
        return run_id

    run(False)
    run(False)
    assert sandbox.charged() == before + 1
    last = run(True)
    assert sandbox.charged() == before + 2
    running.clear("again", last)
    running.until(lambda: sandbox.charged() == before + 3, 60)
    assert running.ended("again", last) == "success"


def test_three_tasks_that_ask_for_the_same_at_once_lose_no_picture(
    running: Standalone, sandbox_of_module: Sandbox, folder: Path
) -> None:
    sandbox = sandbox_of_module
    before = sandbox.charged()
    sandbox.fault("latency", operation="generate_image", seconds=3.0, count=3)
    run_id = running.trigger("together")
    assert running.ended("together", run_id) == "success"
    paths = [running.xcom("together", run_id, task_id) for task_id in ("first", "second", "third")]
    assert paths == [[f"file://{folder}/together/X_1.png"]] * 3
    assert (folder / "together" / "X_1.png").stat().st_size > 10_000
    assert 1 <= sandbox.charged() - before <= 3


def test_a_used_up_quota_is_retried_when_claid_said(running: Standalone, sandbox_of_module: Sandbox) -> None:
    sandbox = sandbox_of_module
    before = sandbox.charged()
    sandbox.fault("429", operation="generate_image", prompt="patient")
    run_id = running.trigger("quota")
    assert running.ended("quota", run_id, seconds=60) == "success"
    assert [entry.status for entry in sandbox.ledger("generate_image")[-2:]] == [429, 200]
    assert sandbox.charged() == before + 1
