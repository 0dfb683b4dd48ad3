"""What a batch is to do, checked before anything is paid."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from airflow_claid.batch.items import Items
from airflow_claid.batch.neighbours import Neighbours
from airflow_claid.batch.reuse import still_there
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import Author
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, KnownReceipts
from airflow_claid.fulfilment.spare_receipts import SparedReceipts, SpareReceipts
from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.object_storage import find, latest, located
from airflow_claid.storage.places import RECEIPTS_FOLDER, Place


@dataclass(frozen=True)
class BatchPlan:
    """What a batch is to do.

    :param items: all of its items, or those of a preview.
    :param place: where pictures go.
    :param folder: the place's folder, as Airflow writes there.
    :param nested: whether pictures also go into folders of that folder.
    :param is_whole: whether the items are all that there are, so that one which is not among them is gone.
    :param identity: what identifies the batch: the same in each attempt and run, whatever a file holds by then.
    """

    items: Items
    place: Place
    folder: str
    nested: bool
    is_whole: bool
    terms: BatchTerms
    report_seconds: float
    identity: Mapping[str, Any]

    @cached_property
    def total(self) -> int:
        """Number of items."""
        return self.items.count()

    def list_ahead(self, manifest: str) -> None:
        """Begin to list the pictures in place, while the items are listed, if an earlier batch has left a manifest.

        A listing that fails is made again when it is needed, and its error raised then.

        :param manifest: the manifest's address.
        """
        pictures = self._pictures
        for address in (self.folder, manifest):
            located(address)  # in this thread: Airflow 3.1 can be asked for a connection by one thread at a time only

        def look() -> None:
            with suppress(Exception):
                if find(latest(manifest)) is not None:
                    pictures.list_now()

        threading.Thread(target=look, name="claid-listing", daemon=True).start()

    @property
    def receipts(self) -> str:
        """Folder of the receipts, as Airflow writes there."""
        return self.folder + RECEIPTS_FOLDER

    def reusable(self, *, regenerate: bool) -> Callable[[dict[str, Any]], bool]:
        """Return what tells whether the pictures of an earlier attempt's row can be used again."""
        return lambda row: not regenerate and self._holds(row)

    def neighbours(self, manifest: str, author: Author) -> Neighbours:
        """Return the other batches with this output.

        :param manifest: address of the batch's own.
        :param author: the task.
        """
        return Neighbours(self.folder, manifest, author, FolderReceipts(self.receipts), self._holds)

    def _holds(self, row: Mapping[str, Any]) -> bool:
        return still_there(row, self.place, self._pictures)

    @cached_property
    def _pictures(self) -> Inventory:
        return Inventory(self.folder, recursive=self.nested or self.place.is_written_by_claid)

    def fulfilments(self, fulfilment: Fulfilment, spares: SpareReceipts) -> Callable[[bool], Fulfilment]:
        """Return the fulfilment for the first attempt at an item, or a later one: the first needs few lookups."""
        terms = replace(fulfilment.terms, wait_for_answers=False)
        known = SparedReceipts(KnownReceipts(self.receipts, Inventory(self.receipts, recursive=False).has), spares)
        all_receipts = SparedReceipts(FolderReceipts(self.receipts), spares)
        first = replace(fulfilment, terms=terms, receipts=lambda _: known)
        again = replace(fulfilment, terms=terms, receipts=lambda _: all_receipts)
        return lambda is_first: first if is_first else again


@dataclass(frozen=True)
class OutsideTask:
    """What stands for the task instance where there is none."""

    task_id: str
    dag_id: str = ""
    run_id: str = ""
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
