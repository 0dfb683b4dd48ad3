"""The example of a chain over 2,000 products in a real Airflow: each step killed once, then all run again."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.plain_task import write_prompts
from benchmarks.running_airflow import RunningAirflow, running_airflow
from benchmarks.servers import ClaidProcess, claid, connections
from benchmarks.tables import ROOT, Table

PRODUCTS = 2000
STEPS = ("generate", "upscale", "resize")
QUOTA = "100000/60,50/1"
SIZES = {"picture": (96, 96), "large": (192, 192), "list": (800, 800)}
MOST_SECONDS = 10


def run() -> list[Table]:
    """Run ``dags_examples/catalogue_chain.py``, kill the task of each step half-way, and count; then run it again."""
    header = (
        "run",
        "products",
        "killed when charged",
        "credits",
        "rows",
        "pictures",
        *(f"{step}, s" for step in STEPS),
    )
    table = Table("chain", header)
    with tempfile.TemporaryDirectory(prefix="bench-chain-") as folder:
        bucket, examples = Path(folder) / "bucket", Path(folder) / "examples"
        examples.mkdir()
        shutil.copy(ROOT / "dags_examples" / "catalogue_chain.py", examples)
        products = Path(folder) / "products.jsonl"
        write_prompts(products, PRODUCTS, "A sturdy lamp")
        rows = [{**json.loads(line), "sku": f"L-{n:04}"} for n, line in enumerate(products.read_text().splitlines())]
        products.write_text("\n".join(map(json.dumps, rows)) + "\n")
        conf = {"products": f"file://{products}", "output": f"{bucket.as_uri()}/chain/"}
        with (
            claid("--quota", QUOTA, "--latency", "0.3+-0.1", "--image-size", "96", bucket=bucket) as sandbox,
            running_airflow(
                connections(sandbox, bucket), {"AIRFLOW__CORE__PARALLELISM": "3"}, examples=[examples]
            ) as airflow,
        ):
            run_id = airflow.api.trigger("catalogue_chain", conf)
            killed = [_kill_at(PRODUCTS * (step + 0.5), sandbox, airflow) for step in range(len(STEPS))]
            airflow.end("catalogue_chain", run_id, seconds=1800)
            charged = sandbox.charged()
            _hold(
                table, "killed in each step", ", ".join(f"{one:g}" for one in killed), charged, bucket, airflow, run_id
            )
            table.expect(charged == len(STEPS) * PRODUCTS, f"{charged:g} credits charged")
            again = airflow.run("catalogue_chain", conf)
            more = sandbox.charged() - charged
            seconds = _hold(table, "again", "", more, bucket, airflow, again)
            table.expect(more == 0, f"{more:g} credits charged again")
            table.expect(max(seconds) < MOST_SECONDS, f"a step that was done took {max(seconds):.1f} s")
    return [table]


def _kill_at(credits: float, sandbox: ClaidProcess, airflow: RunningAirflow) -> float:  # noqa: A002 - Claid's own word
    """Kill the running task once this much is charged; return how much was charged by then."""
    deadline = time.monotonic() + 900
    while sandbox.charged() < credits:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{sandbox.charged():g} charged:\n{airflow.api.logs()[-3000:]}")
        time.sleep(0.05)
    tasks = airflow.tasks()
    if len(tasks) != 1:
        raise RuntimeError(f"there should be one task, but these run: {tasks}")
    tasks[0].kill()
    return sandbox.charged()


def _hold(
    table: Table, title: str, killed: str, charged: float, bucket: Path, airflow: RunningAirflow, run_id: str
) -> list[float]:
    """Compare the list of products with the pictures; return the seconds that each step took."""
    seconds = [float(_summary(airflow, run_id, step)["seconds"]) for step in STEPS]
    lines = (bucket / "chain" / "catalogue.jsonl").read_text(encoding="utf-8").splitlines()
    products: list[dict[str, Any]] = [json.loads(line) for line in lines]
    opened = 0
    for product in products:
        for kind, size in SIZES.items():
            for path in product[kind]:
                with Image.open(path.removeprefix("file://")) as picture:
                    opened += picture.size == size
    shown = (f"{each:.1f}" for each in seconds)
    table.rows.append((title, PRODUCTS, killed, f"{charged:g}", len(products), opened, *shown))
    print(f"    {table.rows[-1]}", flush=True)
    table.expect(len({product["sku"] for product in products}) == len(products) == PRODUCTS, f"{title}: rows")
    table.expect(all(product["status"] == "done" for product in products), f"{title}: a product is not done")
    table.expect(opened == len(STEPS) * PRODUCTS, f"{title}: {opened} pictures open with the right size")
    return seconds


def _summary(airflow: RunningAirflow, run_id: str, step: str) -> dict[str, Any]:
    summary: dict[str, Any] = airflow.api.xcom("catalogue_chain", run_id, step)
    return summary
