"""Prompts a second without a quota, beside bare requests with their best number of threads."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.plain_task import execute, write_prompts
from benchmarks.rivals import rival
from benchmarks.servers import KEY, LARGE_QUOTA, ClaidProcess, claid, connections, s3
from benchmarks.tables import Table, percent

ROUNDS = 3
THREADS = (4, 8, 16, 32)
ENOUGH = 0.7
SMALL, REAL = 16, 1024


@dataclass(frozen=True)
class _Place:
    """A place for the pictures, and what the bare requests do for the same result.

    :param bare: their arguments; ``{round}`` is a folder for each round.
    :param prompts: number of prompts by the side of the pictures: enough for about ten seconds.
    """

    title: str
    output: str
    bare: dict[str, Any]
    prompts: dict[int, int]


def run() -> list[Table]:
    """Measure small pictures and pictures of real size."""
    header = ("pictures", "place", "bare requests a second", "threads", "ours a second", "ratio of each round")
    table = Table("speed", (*header, "median"))
    for size in (SMALL, REAL):
        _measure(table, size)
    return [table]


def _measure(table: Table, size: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as name, s3("plain") as s3_url:
        folder = Path(name)
        bucket = folder / "bucket"
        with claid("--quota", LARGE_QUOTA, "--image-size", str(size), bucket=bucket) as sandbox:
            to_servers = connections(sandbox, bucket, s3_url)
            for place in _places(folder):
                _compare(table, place, sandbox, to_servers, folder, size)


def _places(folder: Path) -> tuple[_Place, ...]:
    return (
        _Place(
            "connected storage, receipts on the local disk",
            "storage://shop/ours/{round}/",
            {"output": "storage://shop/bare/{round}/"},
            {SMALL: 4000, REAL: 400},
        ),
        _Place(
            "local disk, receipts too",
            f"file://{folder}/ours/{{round}}/",
            {"download": True},
            {SMALL: 3000, REAL: 400},
        ),
        _Place("S3, receipts too", "s3://aws_shop@plain/{round}/", {"download": True}, {SMALL: 800, REAL: 300}),
    )


def _compare(
    table: Table,
    place: _Place,
    sandbox: ClaidProcess,
    to_servers: dict[str, dict[str, Any]],
    folder: Path,
    size: int,
) -> None:
    """Find the number of threads with which the bare requests are fastest, then measure both in turn."""
    prompts = place.prompts[size]

    def bare(threads: int, mark: str, prompts: int = prompts) -> float:
        arguments = {
            name: value.format(round=mark) if isinstance(value, str) else value for name, value in place.bare.items()
        }
        what = f"{place.title} {size} bare {mark}"
        result = rival("bare", url=sandbox.url, key=KEY, prompts=prompts, threads=threads, what=what, **arguments)
        return prompts / result["seconds"]

    def ours(mark: str) -> float:
        file = folder / f"{size}-{mark}-{place.title[:2]}.jsonl"
        address = write_prompts(file, prompts, f"{place.title} {size} ours {mark}")
        output = place.output.format(round=f"{size}-{mark}")
        taken = execute(to_servers, prompts=address, output=output)
        if taken.summary["done"] != prompts:
            raise RuntimeError(f"{place.title}: {taken.summary}")
        return prompts / taken.seconds

    threads = max(THREADS, key=lambda count: bare(count, f"threads-{count}", prompts // 4))
    rounds = [(bare(threads, f"round-{one}"), ours(f"round-{one}")) for one in range(ROUNDS)]
    fast, own = (median(one[which] for one in rounds) for which in (0, 1))
    ratios = [one[1] / one[0] for one in rounds]
    shown = (f"{fast:.0f}", threads, f"{own:.0f}", ", ".join(map(percent, ratios)), percent(median(ratios)))
    table.rows.append((f"{size} x {size}", place.title, *shown))
    print(f"    {size}, {place.title}: {rounds}", flush=True)
    if place.title.startswith("connected"):
        enough = median(ratios) >= ENOUGH
        table.expect(enough, f"{place.title}, {size}: {percent(median(ratios))} of bare requests")
