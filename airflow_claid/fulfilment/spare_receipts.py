"""A second place for receipts of paid requests, for when the first one cannot be written any more.

A folder may become read-only, and a bucket may refuse, between the intent and the answer. The answer is then kept in
Airflow's task state (3.3+), which serves a retry on any worker, and in a file on this machine, which serves any run
here: the next try finds it and pays nothing again.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from airflow_claid.errors import ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, ReceiptStore
from airflow_claid.storage.local_files import remove
from airflow_claid.storage.task_state import TaskStateStore

log: logging.Logger = logging.getLogger(__name__)

_KEY = "claid_spare_receipts"
_NOT_SENT = (ReceiptState.INTENT, ReceiptState.REFUSED)


_Kept = Receipt | ReceiptUnreadableError
"""A receipt, or why it cannot be read."""


class Spare(Protocol):
    """Keeps a few receipts."""

    def load(self) -> Mapping[str, _Kept]:
        """Return all receipts, by fingerprint."""

    def keep(self, receipt: Receipt) -> None:
        """Keep a receipt in place of an earlier one of its request."""

    def forget(self, fingerprint: str) -> None:
        """Remove a receipt."""


class TaskStateSpare:
    """Receipts in one value of Airflow's ``task_state_store``: for the retries and clears of one task instance.

    :param store: ``context["task_state_store"]``.
    """

    def __init__(self, store: TaskStateStore) -> None:
        self._store = store
        self._lock = threading.Lock()

    def load(self) -> Mapping[str, _Kept]:
        """Read the value."""
        kept = self._store.get(_KEY) or {}
        return {fingerprint: Receipt.from_json(facts) for fingerprint, facts in kept.items()}

    def keep(self, receipt: Receipt) -> None:
        """Add to the value."""
        with self._lock:
            self._store.set(_KEY, {**(self._store.get(_KEY) or {}), receipt.fingerprint: receipt.to_json()})

    def forget(self, fingerprint: str) -> None:
        """Take from the value."""
        with self._lock:
            kept = self._store.get(_KEY) or {}
            self._store.set(_KEY, {key: facts for key, facts in kept.items() if key != fingerprint})


class SpoolSpare:
    """Receipts in files on this machine, for every task that runs here later.

    :param folder: which only this user can read: an answer that could not be read may hold a signed link.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().absolute()
        self._files = FolderReceipts(f"file://{self._folder}/")

    @classmethod
    def of_this_machine(cls) -> SpoolSpare:
        """Return the one beside Airflow's home."""
        return cls(Path(os.environ.get("AIRFLOW_HOME", "~/airflow")) / "claid_receipts")

    def load(self) -> Mapping[str, _Kept]:
        """Read all files."""
        found = ((path.stem, self._read(path.stem)) for path in self._folder.glob("[0-9a-f]*.json"))
        return {fingerprint: receipt for fingerprint, receipt in found if receipt is not None}

    def _read(self, fingerprint: str) -> _Kept | None:
        try:
            return self._files.read(fingerprint)
        except ReceiptUnreadableError as error:
            return error

    def keep(self, receipt: Receipt) -> None:
        """Write a file."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files.write(receipt, replace=True)

    def forget(self, fingerprint: str) -> None:
        """Remove a file."""
        remove(f"{self._folder}/{fingerprint}.json")


class SpareReceipts:
    """The second places of a task; they are read once, when a receipt is met that may be continued there.

    :param spares: each keeps each receipt, as far as it can: they serve different tries.
    """

    def __init__(self, spares: Sequence[Spare]) -> None:
        self._spares = spares
        self._lock = threading.Lock()
        self._known: dict[str, _Kept] | None = None

    def get(self, fingerprint: str) -> Receipt | None:
        """Return a receipt that is kept.

        :raises ReceiptUnreadableError: if it, or one of the places, cannot be read.
        """
        kept = self._loaded().get(fingerprint)
        if isinstance(kept, ReceiptUnreadableError):
            raise kept
        return kept

    def keep(self, receipt: Receipt) -> bool:
        """Keep a receipt in each place; return whether one took it."""
        taken = False
        for spare in self._spares:
            try:
                spare.keep(receipt)
            except Exception as error:  # noqa: BLE001 - another place may take it, whatever ails this one
                log.warning("%s could not keep a receipt (%s: %s)", type(spare).__name__, type(error).__name__, error)
            else:
                taken = True
        if taken:
            self._loaded()[receipt.fingerprint] = receipt
        return taken

    def forget(self, fingerprint: str) -> None:
        """Remove a receipt that is now where it belongs; one that stays does no harm."""
        if self._known is None or self._known.pop(fingerprint, None) is None:
            return
        for spare in self._spares:
            try:
                spare.forget(fingerprint)
            except Exception as error:  # noqa: BLE001 - it is written where it belongs
                log.info("%s could not forget a receipt (%s)", type(spare).__name__, type(error).__name__)

    def _loaded(self) -> dict[str, _Kept]:
        with self._lock:
            if self._known is None:
                self._known = {}
                try:
                    for spare in self._spares:
                        self._take(spare.load())
                except Exception as error:
                    self._known = None
                    raise ReceiptUnreadableError(
                        f"The second place of receipts could not be read ({type(error).__name__}: {error}). A paid "
                        "answer may be kept there, so nothing was sent and nothing was charged"
                    ) from error
            return self._known

    def _take(self, kept: Mapping[str, _Kept]) -> None:
        """Take the receipts of a place, unless another place has them in a later state."""
        known = self._known or {}
        for fingerprint, receipt in kept.items():
            other = known.get(fingerprint)
            if other is None or (
                isinstance(receipt, Receipt) and isinstance(other, Receipt) and _continues(receipt, other)
            ):
                known[fingerprint] = receipt
        self._known = known


class SparedReceipts:
    """Receipts where they belong, and in a second place while they cannot be written there.

    :param receipts: the store of the place.
    :param spares: the second places, shared by all stores of the task.
    """

    def __init__(self, receipts: ReceiptStore, spares: SpareReceipts) -> None:
        self._receipts = receipts
        self._spares = spares

    def read(self, fingerprint: str) -> Receipt | None:
        """Return the receipt; the one in the second place, where it continues the other."""
        receipt = self._receipts.read(fingerprint)
        if receipt is None or receipt.state.is_final:
            return receipt
        spare = self._spares.get(fingerprint)
        if spare is None or not _continues(spare, receipt):
            return receipt
        log.info("The receipt %s goes on in its second place: its first could not be written", fingerprint)
        return spare

    def create(self, receipt: Receipt) -> bool:
        """Write the first receipt where it belongs: what is not sent needs no second place."""
        return self._receipts.create(receipt)

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        """Write a receipt; if that fails and its request was sent, keep it in the second place.

        :raises Exception: whatever stopped the writing, unless the second place has kept an earlier state already, or
            the receipt is final: then the pictures are worth more than its first place.
        """
        try:
            self._receipts.write(receipt, replace=replace)
        except Exception as error:
            if receipt.state in _NOT_SENT:
                raise
            before = self._spares.get(receipt.fingerprint)
            if not self._spares.keep(receipt):
                raise
            if not receipt.state.is_final and (before is None or before == receipt):
                raise
            log.warning(
                "The receipt %s could not be written (%s: %s). It is kept in Airflow's task state (3.3+) and on this "
                "machine, where the next try finds it",
                receipt.fingerprint,
                type(error).__name__,
                error,
            )
        else:
            self._spares.forget(receipt.fingerprint)


def _continues(spare: Receipt, receipt: Receipt) -> bool:
    """Return whether a receipt in the second place is a later state of the same request."""
    same = (spare.edition, spare.asked_at) == (receipt.edition, receipt.asked_at)
    return same and _RANKS.index(spare.state.value) > _RANKS.index(receipt.state.value)


_RANKS = ("intent", "refused", "unread", "submitted", "paid", "failed", "delivered", "blocked")
"""How far a request has come."""
