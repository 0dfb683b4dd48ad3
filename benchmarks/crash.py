"""A worker that is killed twice in the middle of a thousand prompts, in a real Airflow."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.plain_task import write_prompts
from benchmarks.running_airflow import RunningAirflow, running_airflow
from benchmarks.servers import ClaidProcess, claid, connections
from benchmarks.tables import Table

PROMPTS = 1000
QUOTA = "100000/60,50/1"
KILLED_AT = (0.3, 0.6)


def run() -> list[Table]:
    """Kill the task's process, let Airflow retry it, and count."""
    table = Table(
        "crash", ("prompts", "killed when charged", "tries", "charged", "pictures", "manifest rows", "rows done")
    )
    with tempfile.TemporaryDirectory(prefix="bench-crash-") as folder:
        bucket = Path(folder) / "bucket"
        prompts = write_prompts(Path(folder) / "prompts.jsonl", PROMPTS, "A sturdy lamp")
        with (
            claid("--quota", QUOTA, "--latency", "1+-0.5", "--image-size", "64", bucket=bucket) as sandbox,
            running_airflow(connections(sandbox, bucket)) as airflow,
        ):
            run_id = airflow.api.trigger("batch", {"prompts": prompts, "output": "storage://shop/crash/"})
            killed = [_kill_at(share, sandbox, airflow) for share in KILLED_AT]
            airflow.end("batch", run_id)
            summary = airflow.api.xcom("batch", run_id, "generate")
            tries = airflow.api.call("GET", f"dags/batch/dagRuns/{run_id}/taskInstances/generate")["try_number"]
            charged = sandbox.charged()
        manifest = Path(bucket / "crash" / summary["manifest"].rpartition("/")[2]).read_text(encoding="utf-8")
        rows = [json.loads(line) for line in manifest.splitlines()]
        pictures = {path for row in rows for path in row["paths"]}
        there = sum(1 for path in bucket.rglob("*.png"))
    statuses = Counter(row["status"] for row in rows)
    table.rows.append(
        (
            PROMPTS,
            ", ".join(f"{one:g}" for one in killed),
            tries,
            f"{charged:g}",
            there,
            len({row["row"] for row in rows}),
            statuses["done"],
        )
    )
    table.expect(charged == PROMPTS, f"{charged:g} credits charged")
    table.expect(there == len(pictures) == PROMPTS, f"{there} pictures, {len(pictures)} in the manifest")
    table.expect(len(rows) == statuses["done"] == PROMPTS, f"the manifest has {dict(statuses)}")
    table.expect(tries == len(KILLED_AT) + 1, f"{tries} tries")
    return [table]


def _kill_at(share: float, sandbox: ClaidProcess, airflow: RunningAirflow) -> float:
    """Kill the task's process once this much is charged; return how much was charged by then."""
    deadline = time.monotonic() + 300
    while sandbox.charged() < share * PROMPTS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{sandbox.charged():g} charged:\n{airflow.api.logs()[-3000:]}")
        time.sleep(0.05)
    tasks = airflow.tasks()
    if len(tasks) != 1:
        raise RuntimeError(f"there should be one task, but these run: {tasks}")
    tasks[0].kill()
    return sandbox.charged()
