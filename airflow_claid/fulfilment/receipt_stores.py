"""Where receipts are kept: in files beside the pictures, in Airflow, or nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from airflow_claid.errors import PlaceRefusedError, ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.fulfilment.receipt_text import encoded, last_state
from airflow_claid.storage.addresses import local_path
from airflow_claid.storage.object_storage import (
    ListingRefusedError,
    OverwriteRefusedError,
    add,
    create_whole,
    is_forbidden,
    next_name,
    read_if_there,
    write_whole,
)
from airflow_claid.storage.task_state import TaskStateStore

log: logging.Logger = logging.getLogger(__name__)


class ReceiptStore(Protocol):
    """Keeps receipts."""

    def read(self, fingerprint: str) -> Receipt | None:
        """Return a receipt; ``None`` only if there certainly is none.

        :raises ReceiptUnreadableError: in every other case.
        """

    def create(self, receipt: Receipt) -> bool:
        """Write a request's first receipt; return whether it was the first. Of several runs at once, one succeeds."""

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        """Write a request's next state, atomically.

        :param replace: whether nothing of the earlier states may remain readable, because one holds a signed link.
        """


class FolderReceipts:
    """Receipts in files beside the pictures, ``_claid/FINGERPRINT.json``: JSON with one field a line.

    On a local disk each state is appended to the file, and the last one counts. An incomplete last state was being
    appended when its process died; it is ignored, and the one before it counts. In a bucket each state replaces the
    one before; where a bucket refuses to overwrite, the next state is ``FINGERPRINT.2.json``, then
    ``FINGERPRINT.3.json``, …, and the last one counts.

    :param folder: address of the ``_claid/`` folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._is_local = local_path(folder) is not None
        self._overwriting_is_refused = False
        self._last_number: dict[str, int] = {}
        """The number of the last file of each request that is known to have more than one."""

    def read(self, fingerprint: str) -> Receipt | None:
        """Read the file; and those that follow, unless it is final: a bucket that overwrites has one file only."""
        receipt = self._read(fingerprint, 1)
        if receipt is None or receipt.state.is_final or self._is_local:
            return receipt
        number = 1
        while (later := self._read(fingerprint, number + 1)) is not None:
            receipt, number = later, number + 1
        if number > 1:
            self._last_number[fingerprint] = number
        return receipt

    def create(self, receipt: Receipt) -> bool:
        """Write the file unless there is one.

        :raises PlaceRefusedError: if the place takes no files; nothing was sent.
        """
        try:
            return create_whole(self._uri(receipt.fingerprint, 1), _encoded(receipt))
        except OSError as error:
            if not is_forbidden(error):
                raise
            raise _refused(self._folder, error) from error

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        """Write the file anew, or append to it, which is cheaper; or write the next file.

        A bucket that never overwrites keeps the earlier states, whatever ``replace`` says.
        """
        fingerprint, content = receipt.fingerprint, _encoded(receipt)
        if fingerprint not in self._last_number and not self._overwriting_is_refused:
            try:
                (write_whole if replace else add)(self._uri(fingerprint, 1), content)
            except OverwriteRefusedError as error:
                self._check_can_be_followed(fingerprint, error)
            else:
                return
        number = self._last_number.get(fingerprint, 0) + 1
        while not create_whole(self._uri(fingerprint, number), content):
            number += 1
        if receipt.state.is_final:
            self._last_number.pop(fingerprint, None)
        else:
            self._last_number[fingerprint] = number

    def _check_can_be_followed(self, fingerprint: str, error: OverwriteRefusedError) -> None:
        """Make sure that a reader will look for the file that follows on one that cannot be overwritten."""
        receipt = self._read(fingerprint, 1)
        if receipt is not None and receipt.state.is_final:
            raise _refused(self._folder, error) from error
        if not self._overwriting_is_refused:
            log.info("%s refuses to overwrite: each state of a receipt is a file of its own there", self._folder)
            self._overwriting_is_refused = True

    def _read(self, fingerprint: str, number: int) -> Receipt | None:
        uri = self._uri(fingerprint, number)
        try:
            content = read_if_there(uri)
            return None if content is None else _restored(last_state(content), fingerprint)
        except Exception as error:
            raise _unreadable(uri, error) from error

    def _uri(self, fingerprint: str, number: int) -> str:
        return next_name(f"{self._folder}{fingerprint}.json", number)


class KnownReceipts:
    """Receipts beside the pictures, where it is known which existed at the start.

    The others need not be looked up: the first receipt of a request is created exclusively, which finds any that was
    written since. For the first attempt at each request only.

    :param folder: address of the ``_claid/`` folder.
    :param was_there: returns whether a file of this name existed at the start.
    """

    def __init__(self, folder: str, was_there: Callable[[str], bool]) -> None:
        self._all = FolderReceipts(folder)
        self._was_there = was_there
        self._created_since: set[str] = set()

    def read(self, fingerprint: str) -> Receipt | None:
        """Read the file, if it may exist."""
        known = fingerprint in self._created_since or self._was_there(f"{fingerprint}.json")
        return self._all.read(fingerprint) if known else None

    def create(self, receipt: Receipt) -> bool:
        """Write the file unless there is one."""
        created = self._all.create(receipt)
        self._created_since.add(receipt.fingerprint)
        return created

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        """Write the file; a final receipt will not be read again."""
        self._all.write(receipt, replace=replace)
        if receipt.state.is_final:
            self._created_since.discard(receipt.fingerprint)


class TaskStateReceipts:
    """Receipts in Airflow's ``task_state_store`` (3.3+), for places where Airflow cannot write.

    They serve the retries and clears of one task instance, not other runs.

    :param store: ``context["task_state_store"]``.
    """

    def __init__(self, store: TaskStateStore) -> None:
        self._store = store

    def read(self, fingerprint: str) -> Receipt | None:
        """Read the value."""
        key = self._key(fingerprint)
        try:
            value = self._store.get(key)
            return None if value is None else _restored(value, fingerprint)
        except Exception as error:
            raise _unreadable(f"task_state_store key {key}", error) from error

    def create(self, receipt: Receipt) -> bool:
        """Store the value; only this task instance writes it."""
        self.write(receipt)
        return True

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        """Store the value, in place of the one before."""
        self._store.set(self._key(receipt.fingerprint), receipt.to_json())

    @staticmethod
    def _key(fingerprint: str) -> str:
        return f"claid_receipt_{fingerprint[:32]}"


class ReceiptsOfOneRequest:
    """Receipts of one long request: a receipt that another run has written in the meantime is not overwritten.

    :param receipts: the store that keeps them.
    :param request: a receipt of the request, which identifies its edition and its job.
    """

    def __init__(self, receipts: ReceiptStore, request: Receipt) -> None:
        self._receipts = receipts
        self._request = request

    def read(self, fingerprint: str) -> Receipt | None:
        """Return the stored receipt, whichever request it is of."""
        return self._receipts.read(fingerprint)

    def create(self, receipt: Receipt) -> bool:
        """Write the first receipt."""
        return self._receipts.create(receipt)

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        """Write a receipt, unless the stored one is of another request that may be paid, or has progressed further."""
        kept = self.read(receipt.fingerprint)
        if kept is not None and self._takes_precedence(kept, receipt):
            log.info("Another run has written the receipt %s in the meantime: keeping that one", receipt.fingerprint)
        else:
            self._receipts.write(receipt, replace=replace)

    def _takes_precedence(self, kept: Receipt, receipt: Receipt) -> bool:
        if kept.is_of_same_request(self._request):
            return kept.state.is_final and not receipt.state.is_final
        return not kept.state.has_nothing_to_lose


class NoReceipts:
    """Keeps no receipts, where there is no place for them: a retry pays again."""

    def read(self, fingerprint: str) -> None:
        """Return no receipt."""

    def create(self, receipt: Receipt) -> bool:
        """Keep nothing."""
        return True

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        """Keep nothing."""


def _restored(state: Any, fingerprint: str) -> Receipt:
    """Return the receipt that a state holds.

    :raises ValueError: if it is none, or of another request: a file that was copied under this name.
    """
    receipt = Receipt.from_json(state)
    if receipt.fingerprint != fingerprint:
        raise ValueError(f"it is the receipt of another request, {receipt.fingerprint}")
    return receipt


def _encoded(receipt: Receipt) -> bytes:
    return encoded(receipt.to_json())


def _refused(folder: str, error: Exception) -> PlaceRefusedError:
    return PlaceRefusedError(
        f"{folder} takes no receipt ({type(error).__name__}: {error}). Nothing was sent and nothing was charged. Give "
        "the connection the right to create files there, or choose another output"
    )


def _unreadable(where: str, error: Exception) -> ReceiptUnreadableError:
    if isinstance(error, ListingRefusedError):
        return ReceiptUnreadableError(f"{error}. Nothing was sent and nothing was charged")
    return ReceiptUnreadableError(
        f"The receipt at {where} could not be read ({type(error).__name__}: {error}). Its request may be paid for, so "
        "nothing was sent and nothing was charged. Make it readable, or delete it to pay again."
    )
