"""Memory of a batch of 100,000 prompts from a file, beside one of 100."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.plain_task import execute, write_prompts
from benchmarks.servers import LARGE_QUOTA, claid, connections
from benchmarks.tables import Table

FEW, MANY = 100, 100_000
MOST_MORE = 100


def run() -> list[Table]:
    """Run both in processes of their own, with the same number of threads."""
    table = Table("memory", ("prompts", "done", "peak memory", "more than of 100", "seconds", "a second"))
    first = 0.0
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        bucket = Path(folder) / "bucket"
        with claid("--quota", LARGE_QUOTA, "--image-size", "16", bucket=bucket) as sandbox:
            for count in (FEW, MANY):
                prompts = write_prompts(Path(folder) / f"prompts-{count}.jsonl", count, "A lamp of many")
                taken = execute(connections(sandbox, bucket), prompts=prompts, output=f"storage://shop/memory-{count}/")
                first = first or taken.peak
                table.rows.append(
                    (
                        f"{count:,}",
                        f"{taken.summary['done']:,}",
                        f"{taken.peak:.0f} MB",
                        f"{taken.peak - first:.0f} MB",
                        f"{taken.seconds:.0f}",
                        f"{count / taken.seconds:.0f}",
                    )
                )
                table.expect(taken.summary["done"] == count, f"{taken.summary['done']} of {count} done")
                table.expect(taken.peak - first <= MOST_MORE, f"{taken.peak - first:.0f} MB more")
    return [table]
