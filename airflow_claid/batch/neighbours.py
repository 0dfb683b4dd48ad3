"""Other batches with the same output: what they have paid for is not to be overwritten."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from airflow_claid.batch.manifest_file import row_of
from airflow_claid.batch.manifest_index import lines_of
from airflow_claid.errors import ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import Author
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.orders.order import Order
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.compact_map import CompactMap
from airflow_claid.storage.listing import stream_files

_BEGINNING = "manifest-"
_NAME = re.compile(r"(.*/manifest-[^/]+-[0-9a-f]{8})(\.[0-9]+)?\.jsonl")
_ROWS_OF_AN_AUTHOR = 5


@dataclass
class Neighbours:
    """Knows the pictures that batches of other tasks have in an output.

    A task may overwrite what it has made itself, for that is how new parameters replace old pictures. Two tasks that
    write the same files would replace each other's pictures, and pay for them again, run after run.

    The manifests of the others are read when the first item is about to be paid for; not thread-safe.

    :param folder: of the output, as Airflow writes there, ending with ``/``.
    :param manifest: address of the batch's own manifest.
    :param author: the task.
    :param receipts: of the output.
    :param in_place: returns whether the pictures of a manifest's row are there with the content that was delivered.
    """

    folder: str
    manifest: str
    author: Author
    receipts: ReceiptStore
    in_place: Callable[[Mapping[str, Any]], bool]

    def overwritten_by(self, order: Order) -> str | None:
        """Say which picture of another task's batch an order would overwrite, as a sentence's end; else ``None``."""
        for file in order.files:
            for manifest, made in self._others.items():
                request = made.get(hash(without_connection(file)))
                if request is not None and request != hash(order.fingerprint):
                    return (
                        f"would overwrite {file!r}, which another task has made (see {manifest}): two batches that "
                        "write the same files replace, and pay for, each other's pictures run after run. Give each "
                        "an output of its own; or remove that picture"
                    )
        return None

    @cached_property
    def _others(self) -> dict[str, CompactMap]:
        """The requests that made the pictures of each other task's batch, by the pictures' paths."""
        found = {}
        own = _NAME.sub(r"\1", self.manifest)
        for file in stream_files(self.folder, beginning=_BEGINNING):
            name = _NAME.fullmatch(file.uri)
            if name and name[1] != own and not self._is_of_this_task(file.uri):
                found[file.uri] = self._pictures(file.uri)
        return {manifest: pictures for manifest, pictures in found.items() if len(pictures)}

    def _is_of_this_task(self, manifest: str) -> bool:
        """Tell whether a batch is of this task, as the receipts of its first pictures have it."""
        return any(self._has_made(row) for row in islice(_done(manifest), _ROWS_OF_AN_AUTHOR))

    def _has_made(self, row: Mapping[str, Any]) -> bool:
        try:
            receipt = self.receipts.read(str(row["fingerprint"]))
        except ReceiptUnreadableError:
            return False
        known = receipt.author if receipt else Author()
        return known.task_id == self.author.task_id and self.author.dag_id in ("", known.dag_id)

    def _pictures(self, manifest: str) -> CompactMap:
        pictures = CompactMap()
        for row in _done(manifest):
            if self.in_place(row):
                for path in row["paths"]:
                    pictures.setdefault(hash(without_connection(path)), hash(row["fingerprint"]))
        return pictures


def _done(manifest: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest that have pictures; none where it is gone by now."""
    try:
        for row in map(row_of, lines_of(manifest)):
            if row is not None and row["status"] == "done" and row.get("fingerprint"):
                yield row
    except FileNotFoundError:
        return
