"""The wait for an answer that may still come always ends, whatever the clock and the receipt say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient, GenerateRequest
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.places import generation_place

GRACE = 180.0
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("asked_at", "waited"),
    [
        ((NOW - timedelta(seconds=1000)).isoformat(), 0),
        ((NOW - timedelta(seconds=100)).isoformat(), 80),
        (NOW.isoformat(), 180),
        ((NOW + timedelta(seconds=3780)).isoformat(), 180),
        (None, 180),
    ],
    ids=["long ago", "a moment ago", "now", "in the future", "unknown"],
)
def test_another_runs_answer_is_waited_for_no_longer_than_the_grace_period(
    asked_at: str | None, waited: int, sandbox: Sandbox, claid: ClaidClient, tmp_path: Path
) -> None:
    slept: list[float] = []
    place = generation_place(f"file://{tmp_path}/out/")
    order = GenerateOrder(base_url=claid.base_url, place=place, name=None, request=GenerateRequest.of("A brass lamp"))
    fulfilment = Fulfilment(
        client=claid,
        delivery=Delivery(Downloader(DownloadRules(claid.base_url)), ConnectedStorages(claid, {}), lambda: NOW),
        receipts=lambda _: FolderReceipts(place.receipts),
        author=Author("shop", "tuesday", "pictures", process="here|1|1"),
        terms=Terms(grace=GRACE, lookup_interval=2.0),
        sleep=slept.append,
        now=lambda: NOW,  # a clock that stands still, as after it was set back
    )
    intent = Receipt(
        fingerprint=order.fingerprint,
        state=ReceiptState.INTENT,
        author=replace(fulfilment.author, run_id="monday", process="elsewhere|1|1"),
        operation=order.operation,
        base_url=order.base_url,
        subject=order.subject,
        body=order.body,
        output=place.folder,
        name=None,
        asked_at=asked_at,
    )
    FolderReceipts(place.receipts).create(intent)
    assert fulfilment.fulfil(order).images[0].usable
    assert sum(slept) == pytest.approx(waited, abs=2)
    assert sandbox.charged() == 1
