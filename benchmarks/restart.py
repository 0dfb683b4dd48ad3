"""Run a finished batch again: 10,000 items on S3."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.plain_task import execute, write_prompts
from benchmarks.servers import LARGE_QUOTA, claid, connections, s3
from benchmarks.tables import Table

ITEMS = 10_000
MOST_SECONDS = 10


def run() -> list[Table]:
    """Generate the items, then run the same batch again."""
    table = Table("restart", ("items on S3", "seconds of the first run", "seconds when run again", "charged again"))
    with tempfile.TemporaryDirectory(prefix="bench-restart-") as folder, s3("plain") as s3_url:
        prompts = write_prompts(Path(folder) / "prompts.jsonl", ITEMS, "A lasting lamp")
        with claid("--quota", LARGE_QUOTA, "--image-size", "16") as sandbox:
            to_servers = connections(sandbox, s3_url=s3_url)
            first = execute(to_servers, prompts=prompts, output="s3://aws_shop@plain/restart/", concurrency=16)
            charged = sandbox.charged()
            again = execute(to_servers, prompts=prompts, output="s3://aws_shop@plain/restart/")
            more = sandbox.charged() - charged
    table.rows.append((f"{ITEMS:,}", f"{first.seconds:.0f}", f"{again.seconds:.1f}", f"{more:g}"))
    table.expect(first.summary["done"] == again.summary["done"] == ITEMS, f"{again.summary}")
    table.expect(again.seconds < MOST_SECONDS, f"{again.seconds:.1f} s")
    table.expect(more == 0, f"{more:g} credits charged again")
    return [table]
