"""Random faults over a thousand prompts and a thousand edits: nothing is lost, and every credit is accounted for."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import boto3

from airflow_claid.sandbox.drawing.pictures import Recipe, png
from benchmarks.plain_task import execute, write_prompts
from benchmarks.servers import LARGE_QUOTA, Request, claid, connections, s3
from benchmarks.tables import Table
from tests.support.s3 import S3_KEYS

PROMPTS = 1000
GRACE = 5
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("500", {"probability": 0.05, "seed": 1}),
    ("cut", {"probability": 0.02, "seed": 2, "charged": True}),
    ("truncated", {"probability": 0.01, "seed": 3}),
    ("cut", {"probability": 0.01, "seed": 4, "charged": False}),
)


def run() -> list[Table]:
    """Inject the faults for each kind of place, and compare the manifest with the sandbox's ledger."""
    header = ("", "items", "done", "failed", "charged", "credits", "in doubt", "items not explained", "struck")
    table = Table("faults", header)
    with tempfile.TemporaryDirectory(prefix="bench-faults-") as name, s3("plain") as s3_url:
        bucket = Path(name) / "bucket"
        prompts = write_prompts(Path(name) / "prompts.jsonl", PROMPTS, "A lamp in a storm")
        edits = _write_edits(Path(name) / "edits.jsonl", bucket / "photos")
        quotas = ("--quota", LARGE_QUOTA, "--creative-quota", LARGE_QUOTA)
        with claid(*quotas, "--image-size", "64", "--job-seconds", "1", bucket=bucket) as sandbox:
            storages = connections(sandbox, bucket, s3_url)

            def storm(title: str, requested: str, operator: str, output: str, **more: Any) -> None:
                sandbox.reset()
                for kind, conditions in FAULTS:
                    sandbox.fault(kind, operation=requested, **conditions)
                taken = execute(storages, operator, output=output, lost_response_grace=GRACE, **more)
                rows = _manifest(taken.summary["manifest"], s3_url)
                _hold_against(table, title, rows, sandbox.requests(requested))

            generation = ("generate_image", "ImageGenerationBatchOperator")
            storm("connected storage", *generation, "storage://shop/storm/", prompts=prompts, concurrency=16)
            storm("S3", *generation, "s3://aws_shop@plain/storm/", prompts=prompts, concurrency=16)
            editing = ("submit_ai_edit", "ImageAIEditBatchOperator")
            storm("AI edits as jobs, connected storage", *editing, "storage://shop/storm-edits/", input=edits)
    return [table]


def _manifest(address: str, s3_url: str) -> list[dict[str, Any]]:
    if address.startswith("s3://"):
        key = address.partition("plain/")[2]
        text = boto3.client("s3", endpoint_url=s3_url, **S3_KEYS).get_object(Bucket="plain", Key=key)["Body"].read()
    else:
        text = Path(address.removeprefix("file://")).read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def _write_edits(file: Path, photos: Path) -> str:
    """Write the photographs and a list of them, each with a prompt of its own; return the list's address."""
    photos.mkdir(parents=True)
    lines = []
    for number in range(PROMPTS):
        (photos / f"{number}.png").write_bytes(png(Recipe(f"A photo, number {number}", width=64, height=64)))
        lines.append({"input": f"storage://shop/photos/{number}.png", "prompt": f"Put lamp {number} into a storm"})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file.as_uri()


def _hold_against(table: Table, place: str, rows: list[dict[str, Any]], sent: list[Request]) -> None:
    charged: dict[str, float] = defaultdict(float)
    for one in sent:
        charged[one.prompt] += one.credits
    done = sum(row["status"] == "done" for row in rows)
    failed = sum(row["status"] == "failed" for row in rows)
    sure = sum(row.get("credits", 0) for row in rows)
    doubt = sum(row.get("credits_in_doubt", 0) for row in rows)
    unexplained = [
        row["prompt"]
        for row in rows
        if not row.get("credits", 0) <= charged[row["prompt"]] <= row.get("credits", 0) + row.get("credits_in_doubt", 0)
    ]
    total = sum(charged.values())
    struck = len(sent) - sum(one.status == 200 for one in sent)
    table.rows.append(
        (place, len(rows), done, failed, f"{total:g}", f"{sure:g}", f"{doubt:g}", len(unexplained), struck)
    )
    table.expect(len(rows) == done + failed == PROMPTS, f"{place}: {len(rows)} rows, {done} done, {failed} failed")
    table.expect(not unexplained, f"{place}: charges not explained by the manifest: {unexplained[:5]}")
    table.expect(sure <= total <= sure + doubt, f"{place}: {total:g} charged, {sure:g} and {doubt:g} in the manifest")
