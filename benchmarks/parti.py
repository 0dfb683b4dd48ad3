"""All prompts of PartiPrompts in one run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.plain_task import execute
from benchmarks.servers import LARGE_QUOTA, claid, connections
from benchmarks.tables import ROOT, Table

PROMPTS = ROOT / "tests" / "data" / "parti-prompts.tsv"


def run() -> list[Table]:
    """Generate all of them; two are shorter than Claid accepts."""
    table = Table("parti", ("rows of the file", "done", "invalid", "duplicate", "failed", "charged", "seconds"))
    with tempfile.TemporaryDirectory(prefix="bench-parti-") as folder:
        bucket = Path(folder) / "bucket"
        with claid("--quota", LARGE_QUOTA, "--image-size", "64", bucket=bucket) as sandbox:
            taken = execute(
                connections(sandbox, bucket),
                prompts=PROMPTS.as_uri(),
                columns={"prompt": "Prompt"},
                output="storage://shop/parti/",
            )
            charged = sandbox.charged()
    summary = taken.summary
    table.rows.append(
        (
            f"{summary['items']:,}",
            f"{summary['done']:,}",
            summary["invalid"],
            summary["duplicate"],
            summary["failed"],
            f"{charged:,.0f}",
            f"{taken.seconds:.0f}",
        )
    )
    table.expect(summary["invalid"] == 2, f"{summary['invalid']} invalid")
    table.expect(summary["done"] + summary["duplicate"] == summary["items"] - 2 == 1630, f"{summary}")
    table.expect(charged == summary["done"], f"{charged:g} charged for {summary['done']}")
    return [table]
