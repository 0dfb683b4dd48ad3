"""A batch of AI edits of one photo, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_claid.batch.batch import Batch
from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.client import ClaidClient
from airflow_claid.client.models.ai_edit import AIEditOptions
from airflow_claid.client.models.creation import CreatedOutput
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import Author
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.fulfilment.resources import utc_now
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.ai_edit import AIEditOrder
from airflow_claid.orders.order import Order
from airflow_claid.orders.source import source
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.places import edit_place


@dataclass
class Shop:
    """A photo, the edits of it that a batch makes, and what becomes of them.

    :param order_of: makes the order of a row in place of :meth:`order`.
    """

    sandbox: Sandbox
    client: ClaidClient
    folder: Path
    lines: list[dict[str, Any]] = field(default_factory=list)
    order_of: Callable[[ItemRow], Order | Sequence[Order]] | None = None
    reports: list[BatchCounts] = field(default_factory=list)

    def order(self, row: ItemRow) -> Order:
        return AIEditOrder(
            base_url=self.client.base_url,
            place=edit_place(f"file://{self.folder}/out/"),
            name=None,
            source=source("storage://shop/photo.png", ConnectedStorages(self.client, {})),
            options=AIEditOptions(prompt=str(row.values["prompt"])),
            output=CreatedOutput(number_of_images=1),
        )

    def batch(self, jobs: int, run_id: str = "monday", **terms: Any) -> Batch:
        self.receipts = FolderReceipts(f"file://{self.folder}/out/_claid/")
        fulfilment = Fulfilment(
            client=self.client,
            delivery=Delivery(
                Downloader(DownloadRules(self.client.base_url)), ConnectedStorages(self.client, {}), utc_now
            ),
            receipts=lambda _: self.receipts,
            author=Author("shop", run_id, "pictures"),
            terms=replace(Terms(wait_for_answers=False, grace=0.0, poll_interval=0.2), **terms.pop("fulfil", {})),
            budget=Budget(),
        )
        self.budget = fulfilment.budget
        pace = self.client.pace()
        self.manifest = Manifest(f"file://{self.folder}/out/", "b" * 64, f"file://{self.folder}/out/manifest.jsonl")
        return Batch(
            rows=[ItemRow(number, {"prompt": f"make it snow, {number}"}) for number in range(1, jobs + 1)],
            order_of=self.order_of or self.order,
            fulfilment=lambda _: fulfilment,
            budget=fulfilment.budget,
            manifest=self.manifest,
            still_there=lambda row: True,
            quota_rate=lambda: pace.fastest_rate,
            latency=lambda: pace.latency,
            poll_rate=lambda: pace.poll_rate,
            terms=BatchTerms(**{"pause": 0.05, **terms}),
            report=self.reports.append,
            report_seconds=0.0,
        )

    def run(self, jobs: int, run_id: str = "monday", **terms: Any) -> BatchCounts:
        return self.finish(self.batch(jobs, run_id, **terms))

    def finish(self, batch: Batch) -> BatchCounts:
        try:
            return batch.run()
        finally:
            self.lines = [json.loads(line) for line in self.manifest.index.lines()]
            self.manifest.close()

    @property
    def submitted(self) -> int:
        return len(self.sandbox.ledger("submit_ai_edit"))
