"""The receipts of a folder, as many as there are: for whoever wants to know what was paid for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from airflow_claid.errors import ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.storage.addresses import local_path
from airflow_claid.storage.listing import stream_files
from airflow_claid.storage.places import RECEIPTS_FOLDER

_THREADS = 16
_FILES_AT_ONCE = 256
_RECEIPT = re.compile(r"([0-9a-f]{64})\.json")
"""The first file of a request; those that follow on it are read with it."""


@dataclass(frozen=True)
class FoundReceipt:
    """A receipt that a folder holds.

    :param fingerprint: of its request.
    :param folder: address of the ``_claid/`` folder.
    :param receipt: ``None`` for one that cannot be read.
    :param problem: why not.
    """

    fingerprint: str
    folder: str
    receipt: Receipt | None
    problem: str | None = None


def stream_receipts(output: str, *, recursive: bool = False, beginning: str = "") -> Iterator[FoundReceipt]:
    """Yield the receipts beside the pictures of an output, in no certain order; memory does not grow with them.

    :param output: address of a folder, ending with ``/``; or of its ``_claid/`` folder.
    :param recursive: whether those of the folders in it count as well.
    :param beginning: of the fingerprints; others are not read. Not together with ``recursive``.
    """
    found = _found(output, recursive=recursive, beginning=beginning)
    if local_path(output) is not None:
        yield from map(_read, found)
        return
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="claid-receipts") as pool:
        while some := list(islice(found, _FILES_AT_ONCE)):
            yield from pool.map(_read, some)


def _found(output: str, *, recursive: bool, beginning: str) -> Iterator[tuple[str, str]]:
    """Yield the folder and the fingerprint of each receipt."""
    folder = output
    if not recursive and not output.endswith(f"/{RECEIPTS_FOLDER}"):
        folder = output + RECEIPTS_FOLDER
    for file in stream_files(folder, recursive=recursive, beginning=beginning):
        place, _, name = file.uri.rpartition("/")
        match = _RECEIPT.fullmatch(name)
        if match and f"{place}/".endswith(f"/{RECEIPTS_FOLDER}"):
            yield f"{place}/", match[1]


def _read(found: tuple[str, str]) -> FoundReceipt:
    folder, fingerprint = found
    try:
        receipt = FolderReceipts(folder).read(fingerprint)
    except ReceiptUnreadableError as error:
        return FoundReceipt(fingerprint, folder, None, str(error))
    return FoundReceipt(fingerprint, folder, receipt, None if receipt else "It was removed while the folder was read")
