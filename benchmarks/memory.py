"""Memory of a batch of 100,000 prompts from a file, and of 100,000 pictures of a folder, beside one of 100."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from airflow_claid.batch.concurrency import MOST_THREADS
from airflow_claid.sandbox.drawing.pictures import Recipe, png
from benchmarks.plain_task import Taken, execute, write_prompts
from benchmarks.servers import LARGE_QUOTA, claid, connections
from benchmarks.tables import Table

FEW, SOME, MANY = 100, 10_000, 100_000
MOST_MORE = 60
"""Megabytes that a batch of the many may take above one of the few."""


def run() -> list[Table]:
    """Run each in a process of its own."""
    table = Table("memory", ("items", "concurrency", "done", "peak memory", "more than of 100", "seconds", "a second"))
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        bucket = Path(folder) / "bucket"
        with claid("--quota", LARGE_QUOTA, "--image-size", "16", bucket=bucket) as sandbox:
            storages = connections(sandbox, bucket)
            for items, of_items in (("prompts", _of_prompts), ("pictures", _of_pictures)):
                few = of_items(storages, bucket, FEW, None)
                _add(table, items, FEW, None, few, more=0.0)
                for count, threads in ((MANY, None), (SOME, MOST_THREADS)):
                    taken = of_items(storages, bucket, count, threads)
                    more = _add(table, items, count, threads, taken, more=taken.peak - few.peak)
                    if threads is None:
                        table.expect(more <= MOST_MORE, f"{more:.0f} MB more for {count:,} {items}")
    return [table]


def _of_prompts(storages: dict[str, dict[str, Any]], bucket: Path, count: int, threads: int | None) -> Taken:
    prompts = write_prompts(bucket.parent / f"prompts-{count}.jsonl", count, "A lamp of many")
    return execute(storages, prompts=prompts, output=f"storage://shop/memory-{count}/", concurrency=threads)


def _of_pictures(storages: dict[str, dict[str, Any]], bucket: Path, count: int, threads: int | None) -> Taken:
    for number in range(count):
        photo = bucket / f"photos-{count}" / f"{number // 1000:03}" / f"photo-{number:06}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(png(Recipe(f"A photo, number {number}", width=16, height=16)))
    return execute(
        storages,
        "ImageResizeBatchOperator",
        seconds=10_000,
        input=f"storage://shop/photos-{count}/",
        width=8,
        output=f"storage://shop/small-{count}/",
        output_format="png",
        concurrency=threads,
    )


def _add(table: Table, items: str, count: int, threads: int | None, taken: Taken, *, more: float) -> float:
    done, rate = taken.summary["done"], count / taken.seconds
    row = (
        f"{count:,} {items}",
        threads or "none set",
        f"{done:,}",
        f"{taken.peak:.0f} MB",
        f"{more:.0f} MB",
        f"{taken.seconds:.0f}",
        f"{rate:.0f}",
    )
    print(f"    {row}", flush=True)
    table.rows.append(row)
    table.expect(done == count, f"{done} of {count} {items} done")
    return more
