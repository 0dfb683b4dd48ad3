"""The credits page agrees with the sandbox's ledger to the credit: the demo, a batch that was killed, a backfill."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import ROOT, Airflow
from tests.support.postgresql import database, for_sqlalchemy

UPLOADED = {"upload_and_edit": "edit_image"}
"""What the ledger calls an edit whose picture comes with the request, and what it is to the task."""

DAG = """
import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG
from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator

FOLDER = Path("{folder}")


def die():
    while not (FOLDER / "kill").exists():
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)


class Killed(ImageGenerationBatchOperator):
    def execute(self, context):
        if context["ti"].try_number == 1:
            threading.Thread(target=die, daemon=True).start()
        return super().execute(context)


with DAG("killed"):
    Killed(
        task_id="pictures", prompts=[{{"prompt": f"Lamp no. {{n}}", "name": f"L{{n}}"}} for n in range(1, 11)],
        output=f"file://{{FOLDER}}/killed/", concurrency=1, lost_response_grace=1, report_seconds=0.5, retries=1,
        retry_delay=timedelta(seconds=1),
    )

with DAG("blocked"):
    ImageGenerationOperator(
        task_id="poster", prompt="A poster, nude study", output=f"file://{{FOLDER}}/poster/", on_blocked="skip"
    )
"""


@pytest.fixture(scope="module")
def sandbox_of_module() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(quota="", creative_quota="", job_seconds=0.1, image_size=64)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bill")


@pytest.fixture(scope="module")
def running(folder: Path, sandbox_of_module: Sandbox, postgresql: str) -> Iterator[Standalone]:
    """Airflow on PostgreSQL: with SQLite a backfill may find the database locked."""
    home, dags = folder / "airflow", folder / "dags"
    home.mkdir()
    (dags / "data").mkdir(parents=True)
    (dags / "bill.py").write_text(DAG.format(folder=folder))
    for name in ("product_catalogue", "backfill_catalogue"):
        example = (ROOT / "dags_examples" / f"{name}.py").read_text(encoding="utf-8")
        if name == "product_catalogue":
            example = example.replace('schedule="@daily"', "schedule=None")
        (dags / f"{name}.py").write_text(example.replace(f"file:///tmp/{name}/", f"file://{folder}/{name}/"))
    products = (ROOT / "dags_examples" / "data" / "products.csv").read_text(encoding="utf-8").splitlines()
    few = [line for line in products if line.startswith(("sku", "LT-2001", "PS-1501", "XX-0001"))]
    (dags / "data" / "products.csv").write_text("\n".join(few), encoding="utf-8")
    shutil.copytree(ROOT / "dags_examples" / "data" / "catalogue", dags / "data" / "catalogue")
    claid = {"conn_type": "claid", "password": sandbox_of_module.api_key, "host": sandbox_of_module.url}
    with database(postgresql) as address:
        settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": for_sqlalchemy(address)}
        with standalone(Airflow(home, dags, {"claid_default": claid}, settings), seconds=600, parallelism=2) as running:
            yield running


def of_page(running: Standalone, *by: str, **query: str) -> list[dict[str, str]]:
    """Return the rows of the page's CSV."""
    pairs = [*(f"by={name}" for name in by), *(f"{name}={value}" for name, value in query.items())]
    answer = running.get(f"claid/credits.csv?{'&'.join(pairs)}", running.token(None))
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(answer.text.splitlines()))


def charged(rows: list[dict[str, str]], column: str = "credits") -> float:
    return sum(float(row[column]) for row in rows)


def of_command(running: Standalone, *arguments: str) -> dict[str, Any]:
    """Return what ``claid credits`` says."""
    done = running.airflow.run("claid", "credits", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def agree(running: Standalone, sandbox: Sandbox, in_doubt: float = 0) -> None:
    """Check the sums of the page and of the command against what was charged."""
    for by in (("day", "dag", "task", "operation"), ("operation",)):
        rows = of_page(running, *by)
        assert charged(rows) + charged(rows, "in_doubt") == sandbox.charged()
        assert charged(rows, "in_doubt") == in_doubt
    by_operation = {row["operation"]: float(row["credits"]) + float(row["in_doubt"]) for row in rows}
    of_ledger: Counter[str] = Counter()
    for entry in sandbox.ledger():
        of_ledger[UPLOADED.get(entry.operation, entry.operation)] += entry.credits
    assert {name: paid for name, paid in by_operation.items() if paid} == +of_ledger
    total = of_command(running)["total"]
    assert (total["credits"], total["in_doubt"]) == (sandbox.charged() - in_doubt, in_doubt)


def test_the_demo_run_twice_and_cleared(running: Standalone, sandbox_of_module: Sandbox) -> None:
    dag = "product_catalogue"
    first = running.trigger(dag)
    assert running.ended(dag, first, 900) == "success"
    agree(running, sandbox_of_module)
    paid = sandbox_of_module.charged()
    assert paid > 0
    assert charged(of_page(running, "dag"), "reused") == 0
    assert running.ended(dag, running.trigger(dag), 600) == "success"
    assert charged(of_page(running, "dag"), "reused") == paid
    running.clear(dag, first)
    running.until(lambda: running.state(dag, first) not in ("success", "failed"), 120)
    assert running.ended(dag, first, 600) == "success"
    assert sandbox_of_module.charged() == paid
    agree(running, sandbox_of_module)


def test_a_batch_that_is_killed_and_tried_again(running: Standalone, sandbox_of_module: Sandbox, folder: Path) -> None:
    sandbox_of_module.fault("hold", prompt="Lamp no. 7")
    run = running.trigger("killed")
    running.until(lambda: sandbox_of_module.held == 1, 120)
    running.until(lambda: charged(of_page(running, "dag", dag="killed")) == 6, 60)
    (folder / "kill").touch()
    assert running.ended("killed", run, 600) == "success"
    sandbox_of_module.release()
    (row,) = of_page(running, "task", dag="killed")
    assert {name: row[name] for name in ("credits", "in_doubt", "reused", "pictures")} == {
        "credits": "10",
        "in_doubt": "1",
        "reused": "0",
        "pictures": "10",
    }
    agree(running, sandbox_of_module, in_doubt=1)


def test_a_backfill_and_the_same_backfill_again(running: Standalone, sandbox_of_module: Sandbox) -> None:
    dag = "backfill_catalogue"
    days = ("--from-date", "2026-03-01", "--to-date", "2026-03-03")
    before = charged(of_page(running, "dag"), "in_doubt")
    paid = []
    for reprocess in ("none", "completed"):
        create = ("backfill", "create", "--dag-id", dag, *days, "--reprocess-behavior", reprocess)
        running.until(lambda create=create: running.airflow(*create).returncode == 0, 300)
        running.until(lambda: [state for _, state in running.runs(dag, "backfill")] == ["success"] * 3, 300)
        agree(running, sandbox_of_module, in_doubt=before)
        paid.append(charged(of_page(running, "dag", dag=dag)))
    assert paid[0] == paid[1] > 0


def test_a_blocked_picture_is_charged_and_shown(running: Standalone, sandbox_of_module: Sandbox) -> None:
    assert running.ended("blocked", running.trigger("blocked"), 600) == "success"
    (row,) = of_page(running, "dag", dag="blocked")
    assert (row["credits"], row["blocked"], row["pictures"]) == ("1", "1", "0")


def test_a_run_that_was_deleted_is_in_its_receipts(
    running: Standalone, sandbox_of_module: Sandbox, folder: Path
) -> None:
    run = running.trigger("blocked")
    running.ended("blocked", run, 600)
    before = of_command(running)["total"]["credits"]
    for run_id, _ in running.runs("blocked"):
        running.call("DELETE", f"dags/blocked/dagRuns/{run_id}")
    assert of_command(running)["total"]["credits"] == before - 1
    with_receipts = of_command(running, "--receipts", f"file://{folder}/poster/", "--by", "dag")
    assert with_receipts["total"]["credits"] == before
    assert with_receipts["of_receipts"] == 1
