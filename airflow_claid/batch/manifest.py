"""The manifest of a batch: the result of each item as a line of JSON, in a file beside the pictures.

Object storage cannot append, so a batch writes parts as it goes, ``_claid/batches/BATCH/part-00001.jsonl``, …, each
atomically. A later attempt reads them and continues with the next number. At the end they are merged into one manifest,
in the order of the rows, and removed. An unreadable manifest or part is never treated as a missing one. Memory does not
grow with the batch.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_claid.batch.manifest_index import PART_NAME, ManifestIndex
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.addresses import local_path, path_problem
from airflow_claid.storage.object_storage import (
    check_writable,
    create_whole,
    is_forbidden,
    latest,
    located,
    may_pass,
    remove,
    remove_empty_folders,
    write_streamed_beside,
)
from airflow_claid.storage.places import RECEIPTS_FOLDER

log: logging.Logger = logging.getLogger(__name__)


class Manifest:
    """Writes the manifest of a batch: parts as it goes, and the whole at the end.

    Thread-safe. A row is a dict that JSON can hold, with at least ``row`` (its number in the
    input), ``fingerprint`` (``None`` where the item has none) and ``status``: one of
    :data:`.counts.STATUSES`. Of several rows with one number, the last counts.

    :param folder: the place's folder, ending with ``/``; Airflow must be able to write there.
    :param batch: a fingerprint that identifies the batch and is the same in each attempt.
    :param address: of the finished manifest; an existing one is read, and replaced at the end. Where it cannot be
        overwritten, the next one has the next name, ``manifest.2.jsonl``.
    :param part_rows: a part is written when it has this number of rows.
    :param part_seconds: or with the first row that comes this many seconds after the part's first.
    :param clock: returns seconds from any start.
    :raises OSError: if a manifest or a part of an earlier attempt exists but cannot be read.
    """

    def __init__(
        self,
        folder: str,
        batch: str,
        address: str,
        *,
        part_rows: int = 1000,
        part_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address: str = latest(address)
        """Of the manifest that was finished last."""
        self._first_address = address
        self._folder = f"{folder}{RECEIPTS_FOLDER}batches/{batch}/"
        self._part_rows = part_rows
        self._part_seconds = part_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._pending: list[bytes] = []
        self._since = 0.0
        self.index: ManifestIndex = ManifestIndex(self._folder, self.address)
        self._number = _number_of(self.index.parts[-1]) if self.index.parts else 0
        if self.index.parts:
            log.info(
                "Resuming a batch that has %d rows in %d parts: %s",
                self.index.count,
                len(self.index.parts),
                self._folder,
            )

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; it is safe once its part is written.

        :raises OSError: if the part that is due could not be written; its rows go into the next one.
        """
        line = as_line(row)
        with self._lock:
            self.index.take(row, line)
            if not self._pending:
                self._since = self._clock()
            self._pending.append(line)
            if len(self._pending) >= self._part_rows or self._clock() - self._since >= self._part_seconds:
                self.flush()

    def flush(self) -> None:
        """Write all pending rows as a part; a signal handler may call it, even in the middle of a write.

        :raises OSError: if the part could not be written; its rows go into the next one.
        """
        with self._lock:
            lines = tuple(self._pending)
            if not lines:
                return
            content = b"".join(line + b"\n" for line in lines)
            written = False
            while not written:
                self._number += 1
                part = f"{self._folder}part-{self._number:05}.jsonl"
                written = create_whole(part, content)
            self.index.parts.append(part)
            del self._pending[: len(lines)]

    def finish(self) -> str:
        """Write the whole manifest, remove the parts, and return the manifest's address.

        If it is interrupted, the parts remain, and calling it again does the rest.

        :raises OSError: if the manifest could not be written; an earlier manifest is still there.
        """
        with self._lock:
            self.flush()
            self.address = write_streamed_beside(self._first_address, self.index.lines)
            self._remove_parts()
            remove_empty_folders(self._folder)
        return self.address

    def _remove_parts(self) -> None:
        """Remove the parts; where files cannot be removed they stay, and the next attempt reads them."""
        while self.index.parts:
            try:
                remove(self.index.parts[-1])
            except OSError as error:
                if not is_forbidden(error):
                    raise
                log.info("The parts of the manifest stay in %s, which cannot be removed (%s)", self._folder, error)
                return
            self.index.parts.pop()

    def close(self) -> None:
        """Remove the temporary files on this machine; pending rows are lost without :meth:`flush`."""
        self.index.close()


def check_address(address: str) -> None:
    """Make sure that a manifest can be written, before anything is paid for.

    :raises ClaidValidationError: naming the address and what is wrong with it.
    """
    if problem := path_problem(address):
        raise ClaidValidationError(f"manifest={address!r} {problem}")
    located(address, "manifest")
    local = local_path(address)
    try:
        if address.endswith("/") or (local is not None and Path(local).is_dir()):
            raise ClaidValidationError(f"manifest={address!r} is a folder: name a file in it")
        check_writable(address)
    except OSError as error:
        if may_pass(error):
            raise
        raise ClaidValidationError(
            f"manifest={address!r} cannot be written ({type(error).__name__}: {error}): let the connection create "
            "files there, or give another address"
        ) from error


def _number_of(part: str) -> int:
    match = PART_NAME.search(part)
    return int(match[1]) if match else 0


def as_line(row: Mapping[str, Any]) -> bytes:
    """Return a row as JSON; a lone surrogate, which UTF-8 cannot hold, stays a JSON escape."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")
