"""A batch of edits whose pictures a folder lists, fulfilled by nobody but a counter of what was paid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_claid.batch.batch import Batch
from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.reuse import still_there
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.events import Events, NoEvents
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.fulfilment.receipt import Author
from airflow_claid.orders.edit import EditOrder
from airflow_claid.orders.order import Order
from airflow_claid.orders.source import Source
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import Inventory, list_files
from airflow_claid.storage.object_storage import write_whole
from airflow_claid.storage.places import edit_place
from airflow_claid.storage.stored_files import StoredFile

OPERATIONS = Operations.model_validate({"resizing": {"width": 64, "height": "auto", "fit": "bounds"}})


@dataclass
class Paying:
    """Pays for each order, and says where its picture would be, or writes it."""

    budget: Budget
    paid: list[str]
    writes: bool
    author: Author = field(default_factory=lambda: Author("shop", "monday", "pictures"))
    events: Events = field(default_factory=NoEvents)

    def start(self, order: Order) -> Fulfilled:
        with self.budget.reserve(order) as reservation:
            spent = reservation.charge()
        assert order.input is not None
        self.paid.append(order.input.rpartition("/")[2])
        path, checksum = f"{order.place.folder}{order.file_name(1)}", "c"
        if self.writes:
            write_whole(path, b"new")
            checksum = checksum_if_there(path) or ""
        image = DeliveredImage(1, path, False, bytes=3, checksum=checksum)
        return Fulfilled(order, (image,), spent, "r-1", order.credits, 0.0)


@dataclass
class PictureBatch:
    """The same batch over a folder, as often as is wanted.

    :param folder: with the pictures.
    :param output: where the manifest is.
    """

    folder: str
    output: str
    paid: list[str] = field(default_factory=list)
    """Names of the pictures that were paid for."""
    versions: Callable[[Any], Callable[[ItemRow], str | None]] = lambda index: lambda row: "v1"
    still_there: Callable[[dict[str, Any]], bool] | None = None
    carried: dict[str, Any] = field(default_factory=dict)
    writes: bool = False
    """Whether the results are written, and looked for when the batch runs again."""

    def rows(self) -> Iterator[ItemRow]:
        for number, file in enumerate(list_files(self.folder), start=1):
            yield ItemRow(number, {"input": file.uri}, file=file, carried=self.carried)

    def order(self, row: ItemRow, version: str | None) -> EditOrder:
        path = str(row.values["input"])
        source = Source(path, version, lambda: None)
        return EditOrder(
            base_url="https://api.claid.ai/v1",
            place=edit_place(self.output),
            name=source.stem,
            source=source,
            operations=OPERATIONS,
            output=ImageOutput(format="png"),
        )

    def _still_there(self) -> Callable[[dict[str, Any]], bool]:
        place, inventory = edit_place(self.output), Inventory(self.output, recursive=False)
        return lambda row: not self.writes or still_there(row, place, inventory)

    def run(self, rows: Iterator[ItemRow] | None = None, *, listed: bool = True) -> BatchCounts:
        manifest = Manifest(self.output, "b" * 64, f"{self.output}manifest.jsonl")
        budget = Budget()
        versions = self.versions(manifest.index)
        files: dict[str, StoredFile] = {}

        def taken() -> Iterator[ItemRow]:
            for row in self.rows() if rows is None else rows:
                if row.file is not None:
                    files[row.file.uri] = row.file
                yield row

        batch = Batch(
            rows=taken(),
            order_of=lambda row: self.order(row, versions(row)),
            fulfilment=lambda first: Paying(budget, self.paid, self.writes),  # type: ignore[arg-type,return-value]
            budget=budget,
            manifest=manifest,
            still_there=self.still_there or self._still_there(),
            listed=(lambda uri: uri in files) if listed else None,
            quota_rate=lambda: 1000.0,
            latency=lambda: 0.1,
            terms=BatchTerms(concurrency=4),
            report=lambda counts: None,
        )
        try:
            counts = batch.run()
            manifest.finish()
            self.lines = [json.loads(line) for line in manifest.index.lines()]
            self.paths = list(manifest.index.paths())
        finally:
            manifest.close()
        return counts
