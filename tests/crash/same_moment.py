"""Two runs that ask for the same thing at nearly the same moment: how often both pay, by how far apart they start."""

from __future__ import annotations

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airflow_claid.client import ClaidClient, GenerateRequest
from airflow_claid.client.quota.quota import Quota
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import Author
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.fulfilment.resources import utc_now
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.sandbox import Latency, Sandbox, SandboxSettings
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.places import generation_place

PAIRS = 20
APART = (0.0, 0.005, 0.02, 0.1)
"""Seconds between the starts of the two runs."""


def main() -> int:
    """Print how many of the pairs paid twice; the exit status tells whether a picture was lost."""
    lost = 0
    print(f"\nTwo runs of one request, {PAIRS} pairs each, Claid answers after 1 s, receipts on a local disk:\n")
    print("| started apart | pairs that paid twice | pictures missing |\n| --- | --- | --- |")
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(SandboxSettings(quota="", latency=Latency(1.0), image_size=256)) as sandbox,
    ):
        for apart in APART:
            before = sandbox.charged()
            missing = sum(_pairs(sandbox, Path(folder), apart))
            twice = sandbox.charged() - before - PAIRS
            print(f"| {apart * 1000:g} ms | {twice:g} of {PAIRS} | {missing} |", flush=True)
            lost += missing
    return 1 if lost else 0


def _pairs(sandbox: Sandbox, folder: Path, apart: float) -> list[int]:
    with ThreadPoolExecutor(PAIRS) as pool:
        return list(pool.map(lambda number: _pair(sandbox, folder, apart, number), range(PAIRS)))


def _pair(sandbox: Sandbox, folder: Path, apart: float, number: int) -> int:
    """Fulfil one order from two runs; give how many of the two results name a picture that is not there."""
    ready = threading.Barrier(2)

    def run(run_id: str, delay: float) -> int:
        fulfilment, order = _task(sandbox, folder, f"A pair {number} apart {apart}", run_id)
        ready.wait()
        time.sleep(delay)
        (image,) = fulfilment.fulfil(order).images
        return 0 if image.path and Path(image.path.removeprefix("file://")).stat().st_size else 1

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(run, ("monday", "tuesday"), (0.0, apart)))


def _task(sandbox: Sandbox, folder: Path, prompt: str, run_id: str) -> tuple[Fulfilment, GenerateOrder]:
    client = ClaidClient(sandbox.api_key, sandbox.url, quota=Quota(()))
    place = generation_place(f"file://{folder}/")
    order = GenerateOrder(base_url=client.base_url, place=place, name=None, request=GenerateRequest.of(prompt))
    fulfilment = Fulfilment(
        client=client,
        delivery=Delivery(Downloader(DownloadRules(client.base_url)), ConnectedStorages(client, {}), utc_now),
        receipts=lambda _: FolderReceipts(place.receipts),
        author=Author("shop", run_id, "pictures"),
        terms=Terms(poll_interval=0.2),
    )
    return fulfilment, order
