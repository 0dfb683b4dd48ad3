"""The gallery: pages of a manifest of 100,000 rows, and 60 thumbnails from S3, cold and warm."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
import requests

from benchmarks.servers import as_variables, s3
from benchmarks.tables import Table
from tests.conftest import s3_connection
from tests.support.pictures import noise
from tests.support.processes import free_port, running, wait_for_port
from tests.support.s3 import S3_KEYS

ROWS, PICTURES, SIDE = 100_000, 60, 1024
PAGE = 1500
AT_ONCE = 6
"""Requests that a browser has open to one server."""

MOST_SECONDS = {"first page": 1.0, f"page {PAGE:,}": 1.0, "60 thumbnails, cold": 5.0, "60 thumbnails, warm": 0.5}
MOST_MORE = 50
TASK = "/images/dags/shop/runs/monday/tasks/generate/-1"


def run() -> list[Table]:
    """Measure both, each with a server of its own."""
    table = Table("gallery", ("what", "seconds", "more memory"))
    with tempfile.TemporaryDirectory(prefix="bench-gallery-") as name:
        folder = Path(name)
        with _serving(folder, images=[], manifest=_manifest(folder)) as (url, more):
            for what, number in (("first page", 1), (f"page {PAGE:,}", PAGE)):
                seconds = _seconds(lambda number=number: [_get(f"{url}{TASK}?page={number}")])  # type: ignore[misc]
                _add(table, what, seconds, more())
        with s3("pictures") as endpoint:
            client = boto3.client("s3", endpoint_url=endpoint, **S3_KEYS)
            for number in range(PICTURES):
                client.put_object(Bucket="pictures", Key=f"{number}.png", Body=noise(SIDE, SIDE))
            paths = [f"s3://moto@pictures/{number}.png" for number in range(PICTURES)]
            images = [{"path": path, "prompt": "A lamp", "credits": 1.0, "blocked": False} for path in paths]
            connections = {"moto": s3_connection(endpoint)}
            with _serving(folder, images=images, manifest=None, connections=connections) as (url, more):
                for what in ("cold", "warm"):
                    _add(table, f"60 thumbnails, {what}", _seconds(lambda url=url: _thumbnails(url)), more())  # type: ignore[misc]
    return [table]


def _add(table: Table, what: str, seconds: float, more: float) -> None:
    table.rows.append((what, f"{seconds:.2f}", f"{more:.0f} MB"))
    table.expect(seconds <= MOST_SECONDS[what], f"{what}: {seconds:.2f} s")
    if "page" in what:
        table.expect(more <= MOST_MORE, f"{what}: {more:.0f} MB more")


def _manifest(folder: Path) -> str:
    """Write a manifest as long as a large catalogue's."""
    path = folder / "manifest-products-0a1b2c3d.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, ROWS + 1):
            row = {
                "row": number,
                "name": f"SKU-{number}",
                "prompt": f"A lamp of brushed brass on a pale wall in morning light, number {number}",
                "status": "blocked" if number % 50 == 0 else "done",
                "paths": [f"s3://moto@pictures/catalogue/SKU-{number}_1.png"],
                "credits": 1.0,
                "fingerprint": f"{number:064x}",
            }
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    return f"file://{path}"


@contextmanager
def _serving(
    folder: Path, *, images: list[dict[str, Any]], manifest: str | None, connections: dict[str, Any] | None = None
) -> Iterator[tuple[str, Callable[[], float]]]:
    """Serve a gallery until the block ends; yield its address, and what tells how many MB more it takes by now."""
    report, port = folder / "report.json", free_port()
    report.write_text(json.dumps({"images": images, "manifest": manifest}), encoding="utf-8")
    environment = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow"), **as_variables(connections or {})}
    command = [sys.executable, "-m", "benchmarks.gallery_server", str(port), str(report)]
    with running(command, env=environment) as process:
        wait_for_port(process, port, 120)
        url = f"http://127.0.0.1:{port}"
        requests.get(f"{url}/images/none", timeout=60)
        server = psutil.Process(process.pid)
        before = server.memory_info().rss
        yield url, lambda: (server.memory_info().rss - before) / 1e6


def _get(address: str) -> bytes:
    answer = requests.get(address, timeout=120)
    answer.raise_for_status()
    return answer.content


def _thumbnails(url: str) -> list[bytes]:
    """Fetch all, as many at once as a browser does."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda row: _get(f"{url}{TASK}/{row}/0/thumbnail"), range(PICTURES)))


def _seconds(fetch: Callable[[], list[bytes]]) -> float:
    began = time.monotonic()
    assert all(fetch())
    return time.monotonic() - began
