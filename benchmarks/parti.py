"""All prompts of PartiPrompts in one run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.plain_task import execute
from benchmarks.servers import LARGE_QUOTA, claid, connections
from benchmarks.tables import ROOT, Table

PROMPTS = ROOT / "tests" / "data" / "parti-prompts.tsv"


def run() -> list[Table]:
    """Generate them all; two are shorter than Claid takes."""
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
    found = taken.summary
    table.rows.append(
        (
            f"{found['items']:,}",
            f"{found['done']:,}",
            found["invalid"],
            found["duplicate"],
            found["failed"],
            f"{charged:,.0f}",
            f"{taken.seconds:.0f}",
        )
    )
    table.expect(found["invalid"] == 2, f"{found['invalid']} invalid")
    table.expect(found["done"] + found["duplicate"] == found["items"] - 2 == 1630, f"{found}")
    table.expect(charged == found["done"], f"{charged:g} charged for {found['done']}")
    return [table]
