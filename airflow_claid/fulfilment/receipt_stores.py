"""Where receipts are kept: as files beside the pictures, in Airflow, or nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Protocol

from airflow_claid.errors import ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.storage.object_storage import add, create_whole, read_if_there
from airflow_claid.storage.task_state import TaskStateStore

log = logging.getLogger(__name__)


class ReceiptStore(Protocol):
    """Where receipts are kept."""

    def read(self, fingerprint: str) -> Receipt | None:
        """Give a receipt; ``None`` only where there truly is none.

        :raises ReceiptUnreadableError: in every other case.
        """

    def create(self, receipt: Receipt) -> bool:
        """Keep the first receipt of a request; tell whether it was: of several runs that try at once, one succeeds."""

    def write(self, receipt: Receipt) -> None:
        """Keep a receipt, whole or not at all, in place of the one before."""


class FolderReceipts:
    """Receipts as files beside the pictures, ``_claid/FINGERPRINT.json``: JSON, a line for each fact.

    On a local disk each state is added to the file, below the ones before; the last one counts. One that has no end
    was being added when its process died, and the one before it counts: the same as if it had not begun.

    :param folder: address of the ``_claid/`` folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, fingerprint: str) -> Receipt | None:
        """Read the file."""
        uri = self._uri(fingerprint)
        try:
            content = read_if_there(uri)
            return None if content is None else Receipt.from_json(_last_of(content))
        except Exception as error:
            raise _unreadable(uri, error) from error

    def create(self, receipt: Receipt) -> bool:
        """Write the file unless there is one."""
        return create_whole(self._uri(receipt.fingerprint), _as_text(receipt))

    def write(self, receipt: Receipt) -> None:
        """Write the file, or add to it."""
        add(self._uri(receipt.fingerprint), _as_text(receipt))

    def _uri(self, fingerprint: str) -> str:
        return f"{self._folder}{fingerprint}.json"


class KnownReceipts:
    """Receipts beside the pictures, of which it is known which ones there were at the beginning.

    The others need not be looked for: the first receipt of a request is created exclusively, so one that has come
    since is found then. For the first attempt at each request only.

    :param folder: address of the ``_claid/`` folder.
    :param was_there: tells whether a file of that name was there at the beginning.
    """

    def __init__(self, folder: str, was_there: Callable[[str], bool]) -> None:
        self._all = FolderReceipts(folder)
        self._was_there = was_there
        self._come_since: set[str] = set()

    def read(self, fingerprint: str) -> Receipt | None:
        """Read the file, if there can be one."""
        known = fingerprint in self._come_since or self._was_there(f"{fingerprint}.json")
        return self._all.read(fingerprint) if known else None

    def create(self, receipt: Receipt) -> bool:
        """Write the file unless there is one."""
        created = self._all.create(receipt)
        self._come_since.add(receipt.fingerprint)
        return created

    def write(self, receipt: Receipt) -> None:
        """Write the file; one that is at its end is not asked for again."""
        self._all.write(receipt)
        if receipt.state.is_final:
            self._come_since.discard(receipt.fingerprint)


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
            return None if value is None else Receipt.from_json(value)
        except Exception as error:
            raise _unreadable(f"task_state_store key {key}", error) from error

    def create(self, receipt: Receipt) -> bool:
        """Keep the value; nobody else writes it, for it is one task instance's own."""
        self.write(receipt)
        return True

    def write(self, receipt: Receipt) -> None:
        """Keep the value."""
        self._store.set(self._key(receipt.fingerprint), receipt.to_json())

    @staticmethod
    def _key(fingerprint: str) -> str:
        return f"claid_receipt_{fingerprint[:32]}"


class ReceiptsOfOneRequest:
    """Receipts of a request that takes long: what another run has asked for in the meantime is not written over.

    :param receipts: where they are kept.
    :param request: the request, by its edition and its job.
    """

    def __init__(self, receipts: ReceiptStore, request: Receipt) -> None:
        self._receipts = receipts
        self._request = request

    def read(self, fingerprint: str) -> Receipt | None:
        """Read what is kept, whichever request it is of."""
        return self._receipts.read(fingerprint)

    def create(self, receipt: Receipt) -> bool:
        """Keep the first receipt."""
        return self._receipts.create(receipt)

    def write(self, receipt: Receipt) -> None:
        """Keep a receipt, unless what is kept is of another request that may have been paid, or has come further."""
        kept = self.read(receipt.fingerprint)
        if kept is not None and self._stays(kept, receipt):
            log.info("Another run has written the receipt %s meanwhile: that one stays", receipt.fingerprint)
        else:
            self._receipts.write(receipt)

    def _stays(self, kept: Receipt, receipt: Receipt) -> bool:
        if kept.is_of_same_request(self._request):
            return kept.state.is_final and not receipt.state.is_final
        return not kept.state.has_nothing_to_lose


class NoReceipts:
    """Stands in where there is no place for receipts: remembers nothing, so a retry pays again."""

    def read(self, fingerprint: str) -> None:
        """Give none."""

    def create(self, receipt: Receipt) -> bool:
        """Keep none."""
        return True

    def write(self, receipt: Receipt) -> None:
        """Keep none."""


def _as_text(receipt: Receipt) -> bytes:
    """Give a receipt as JSON with a line for each fact; not by ``indent``, which costs several times as much."""
    return _encode(receipt.to_json()).encode() + _END[1:]


def _last_of(content: bytes) -> Any:
    """Give the last state in a receipt's file that is whole.

    :raises ValueError: if there is none, or the last one that has an end is no JSON.
    """
    rest = content
    while True:
        before, begin, last = rest.rpartition(_BEGIN)
        try:
            return json.loads(begin + last)
        except ValueError:
            if not before or last.endswith(_END):
                raise
        log.warning(
            "The last state in a receipt has no end: its process died while it was added. The one before counts"
        )
        rest = before


_BEGIN, _END = b"\n{", b"}\n"
"""Of a state in a receipt's file; no line inside of one begins or ends so."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n ", ": ")).encode


def _unreadable(where: str, error: Exception) -> ReceiptUnreadableError:
    return ReceiptUnreadableError(
        f"The receipt at {where} could not be read ({type(error).__name__}: {error}). It may be of a request that is "
        "paid, so nothing was sent and nothing was charged. Make it readable, or delete it to pay again."
    )
