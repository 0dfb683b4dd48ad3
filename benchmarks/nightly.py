"""A bucket of existing photographs, three nights: all, then the new and changed ones, then none."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from benchmarks.plain_task import Taken, execute
from benchmarks.servers import LARGE_QUOTA, claid, connections, s3
from benchmarks.tables import Table
from tests.support.s3 import S3_KEYS

PICTURES = 20_000
NEW, CHANGED, UPLOADED_AGAIN, REMOVED = 200, 50, 100, 30
MOST_SECONDS = 15


def run() -> list[Table]:
    """Run the same batch over the same folder, and change the folder between the nights."""
    header = ("night", "photographs", "done", "reused", "gone", "charged", "seconds", "CPU seconds")
    table = Table("nightly", header)
    with tempfile.TemporaryDirectory(prefix="bench-nightly-"), s3("plain") as s3_url:
        _upload(s3_url, {number: number for number in range(PICTURES)})
        with claid("--quota", LARGE_QUOTA, "--image-size", "16") as sandbox:
            charged = 0.0

            def night(title: str, **expected: float) -> Taken:
                nonlocal charged
                taken = execute(
                    connections(sandbox, s3_url=s3_url),
                    "ImageResizeBatchOperator",
                    seconds=4000,
                    input="s3://aws_shop@plain/photos/",
                    width=8,
                    output="s3://aws_shop@plain/small/",
                    output_format="png",
                )
                more, charged = sandbox.charged() - charged, sandbox.charged()
                facts: dict[str, Any] = {**taken.summary, "charged": more}
                table.rows.append(
                    (
                        title,
                        *(f"{facts[name]:,}" for name in ("items", "done", "reused", "gone")),
                        f"{more:g}",
                        f"{taken.seconds:.1f}",
                        f"{taken.cpu:.1f}",
                    )
                )
                print(f"    {table.rows[-1]}", flush=True)
                for name, value in expected.items():
                    table.expect(facts[name] == value, f"{title}: {name} is {facts[name]}, not {value}")
                return taken

            night("first", done=PICTURES, charged=PICTURES)
            _upload(s3_url, {number: number for number in range(PICTURES, PICTURES + NEW)})
            _upload(s3_url, {number: -1 - number for number in range(CHANGED)})
            _upload(s3_url, {number: number for number in range(CHANGED, CHANGED + UPLOADED_AGAIN)})
            _remove(s3_url, range(1000, 1000 + REMOVED))
            night("second", done=PICTURES + NEW - REMOVED, charged=NEW + CHANGED, gone=REMOVED)
            third = night("third", done=PICTURES + NEW - REMOVED, charged=0, gone=REMOVED)
    table.expect(third.seconds < MOST_SECONDS, f"a night without anything new took {third.seconds:.1f} s")
    return [table]


def _upload(s3_url: str, contents: dict[int, int]) -> None:
    """Upload pictures, by their numbers, each with the content of a number."""
    from airflow_claid.sandbox.drawing.pictures import Recipe, png

    client = boto3.client("s3", endpoint_url=s3_url, **S3_KEYS)

    def upload(number: int) -> None:
        body = png(Recipe(f"A photo, number {contents[number]}", width=16, height=16))
        client.put_object(Bucket="plain", Key=_key(number), Body=body)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, contents))


def _remove(s3_url: str, numbers: range) -> None:
    client = boto3.client("s3", endpoint_url=s3_url, **S3_KEYS)
    for number in numbers:
        client.delete_object(Bucket="plain", Key=_key(number))


def _key(number: int) -> str:
    return f"photos/{number // 1000:03}/photo-{number:06}.png"
