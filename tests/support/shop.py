"""A shop whose orders are fulfilled one by one, with a sandbox, a bucket, and a clock of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow_claid.client import ClaidClient, GenerateRequest
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.client.quota.quota import Quota
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilled, Fulfilment
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.edit import EditOrder
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.orders.order import Order
from airflow_claid.orders.source import source
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.places import edit_place, generation_place

PROMPT = "A brass lamp"


@dataclass
class Memory:
    """Receipts kept in a dict, each write remembered."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    states: list[ReceiptState] = field(default_factory=list)

    def read(self, fingerprint: str) -> Receipt | None:
        return self.receipts.get(fingerprint)

    def create(self, receipt: Receipt) -> bool:
        self.write(receipt)
        return True

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        self.states.append(receipt.state)
        self.receipts[receipt.fingerprint] = Receipt.from_json(json.loads(json.dumps(receipt.to_json())))


@dataclass
class Shop:
    """A sandbox, a bucket that is a folder, and the means to fulfil orders."""

    sandbox: Sandbox
    client: ClaidClient
    bucket: Path
    storages: ConnectedStorages
    memory: Memory = field(default_factory=Memory)
    time: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    slept: list[float] = field(default_factory=list)
    while_sleeping: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        self.while_sleeping()

    def fulfil(
        self, order: Order, run_id: str = "monday", store: ReceiptStore | None = None, **terms: Any
    ) -> Fulfilled:
        return self.fulfilment(run_id, store, **terms).fulfil(order)

    def fulfilment(
        self, run_id: str, store: ReceiptStore | None = None, budget: Budget | None = None, **terms: Any
    ) -> Fulfilment:
        return Fulfilment(
            client=self.client,
            delivery=Delivery(Downloader(DownloadRules(self.client.base_url)), self.storages, lambda: self.time),
            receipts=lambda _: store or self.memory,
            author=Author("shop", run_id, "pictures"),
            terms=Terms(lookup_interval=1.0, poll_interval=1.0, **terms),
            budget=budget or Budget(),
            sleep=self.sleep,
            now=lambda: self.time,
        )

    def generation(self, output: str | None = None, *, images: int = 1, landing: str | None = None) -> GenerateOrder:
        return GenerateOrder(
            base_url=self.client.base_url,
            place=generation_place(output),
            name=None,
            landing=landing,
            request=GenerateRequest.of(PROMPT, number_of_images=images),
        )

    def edit(self, input: str, output: str | None = None) -> EditOrder:  # noqa: A002
        return EditOrder(
            base_url=self.client.base_url,
            place=edit_place(output),
            name="small",
            source=source(input, self.storages),
            operations=Operations.model_validate({"resizing": {"width": 64, "height": "auto", "fit": "bounds"}}),
            output=ImageOutput(format="png"),
        )

    def receipt(self, order: Order) -> Receipt:
        return self.memory.receipts[order.fingerprint]


def impatient(shop: Shop) -> ClaidClient:
    """A client that gives up on an answer after a moment."""
    return ClaidClient(shop.sandbox.api_key, shop.sandbox.url, quota=Quota(()), read_timeout=0.5)
