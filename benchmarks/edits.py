"""A thousand edits in one task: how much of the quota they use, beside ``claidai`` and a thread pool."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from benchmarks.allowance import allowed, used
from benchmarks.plain_task import execute
from benchmarks.rivals import rival
from benchmarks.servers import KEY, ClaidProcess, claid, connections, s3
from benchmarks.tables import Table, percent
from tests.support.s3 import S3_KEYS

QUOTA = "600/60,20/1"
PICTURES = 1000
THREADS = 32
LEAST_USED = 0.97
MOST_REQUESTS = 1.1


def run() -> list[Table]:
    """Edit the same pictures in each way, one after the other, against one sandbox."""
    header = ("", "pictures", "done", "requests a picture", "first to last request", "the quota allowed", "used", "429")
    table = Table("edits", header)
    with tempfile.TemporaryDirectory(prefix="bench-edits-") as name, s3("plain") as s3_url:
        folder = Path(name)
        _write_pictures(folder / "bucket" / "photos", s3_url)
        with claid(
            "--quota", QUOTA, "--latency", "3+-1", "--job-seconds", "3", "--image-size", "64", bucket=folder / "bucket"
        ) as sandbox:
            to_servers = connections(sandbox, folder / "bucket", s3_url)

            def batch(photos: str, output: str, **more: Any) -> int:
                taken = execute(
                    to_servers,
                    "ImageResizeBatchOperator",
                    input=photos,
                    width=32,
                    output=output,
                    output_format="png",
                    **more,
                )
                return int(taken.summary["done"])

            ours = {
                "the batch operator, connected storage": lambda: batch(
                    "storage://shop/photos/", "storage://shop/small/"
                ),
                "the batch operator, S3": lambda: batch("s3://aws_shop@plain/photos/", "s3://aws_shop@plain/small/"),
            }
            others: dict[str, Callable[[], int]] = {
                "the batch operator, as jobs": lambda: batch(
                    "storage://shop/photos/", "storage://shop/jobs/", as_jobs=True
                ),
                f"{THREADS} threads that submit jobs and poll each second": lambda: int(
                    rival("poll_each_second", url=sandbox.url, key=KEY, pictures=PICTURES, threads=THREADS)["done"]
                ),
                "`claidai`, 4 workers, a local folder": lambda: int(
                    rival(
                        "claidai_folder",
                        url=sandbox.url,
                        key=KEY,
                        source=str(folder / "bucket" / "photos"),
                        target=str(folder / "claidai"),
                    )["done"]
                ),
            }
            for output in ("storage://shop/small/", "s3://aws_shop@plain/small/", "storage://shop/jobs/"):
                batch("storage://shop/proof/", output, as_jobs="jobs" in output)  # an account whose answers are proven
            for title, way in {**ours, **others}.items():
                _measure(table, title, way, sandbox, promised=title in ours)
    return [table]


def _measure(table: Table, title: str, way: Callable[[], int], sandbox: ClaidProcess, *, promised: bool) -> None:
    sandbox.reset()
    time.sleep(1)
    done = way()
    sent = sandbox.requests_of_the_quota()
    accepted = [request.arrived for request in sent if request.status != 429]
    seconds, share = max(accepted) - min(accepted), used(QUOTA, accepted)
    refused, each = len(sent) - len(accepted), len(accepted) / max(1, done)
    table.rows.append(
        (title, PICTURES, done, f"{each:.2f}", f"{seconds:.1f} s", allowed(QUOTA, seconds), percent(share), refused)
    )
    print(f"    {table.rows[-1]}", flush=True)
    if promised:
        table.expect(done == PICTURES, f"{title}: {done} of {PICTURES} done")
        table.expect(share >= LEAST_USED, f"{title}: {percent(share)} of the quota used")
        table.expect(refused == 0, f"{title}: {refused} requests were refused")
        table.expect(each <= MOST_REQUESTS, f"{title}: {each:.2f} requests a picture")


def _write_pictures(folder: Path, s3_url: str) -> None:
    from airflow_claid.sandbox.drawing.pictures import Recipe, png

    folder.mkdir(parents=True)
    (folder.parent / "proof").mkdir()
    (folder.parent / "proof" / "photo-of-proof.png").write_bytes(png(Recipe("A photo", width=64, height=64)))
    client = boto3.client("s3", endpoint_url=s3_url, **S3_KEYS)
    for number in range(PICTURES):
        picture = png(Recipe(f"A photo, number {number}", width=64, height=64))
        (folder / f"photo-{number:04}.png").write_bytes(picture)
        client.put_object(Bucket="plain", Key=f"photos/photo-{number:04}.png", Body=picture)
