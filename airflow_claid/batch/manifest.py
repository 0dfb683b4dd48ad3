"""The manifest of a batch: what became of each item, one JSON line an item, beside the pictures.

Object storage cannot append, so a batch writes parts as it goes, ``_claid/batches/BATCH/part-00001.jsonl``, …, each
whole or not at all. A later attempt reads them and goes on with the next number; at the end they become the one
manifest, in the order of the rows, and are removed. A manifest or a part that cannot be read is never taken for one
that is not there. Nothing is kept in memory that grows with the batch.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_claid.batch.manifest_index import PART_NAME, ManifestIndex
from airflow_claid.storage.object_storage import create_whole, remove, remove_empty_folders, write_streamed
from airflow_claid.storage.places import RECEIPTS_FOLDER

log = logging.getLogger(__name__)


class Manifest:
    """Writes the manifest of a batch, in parts as it goes and whole at the end.

    Rows may be added from many threads. A row is a dict that JSON can hold, with at least ``row`` (its number in the
    input), ``fingerprint`` (``None`` where the item has none) and ``status``: ``"done"``, ``"blocked"``,
    ``"failed"``, ``"invalid"`` or ``"duplicate"``. Of several rows of one number the last one counts.

    :param folder: the place's folder, ending with ``/``; Airflow must be able to write there.
    :param batch: what tells the batch from others and is the same in each attempt: a fingerprint.
    :param address: where the finished manifest is to be; one that is there already is read, and replaced at the end.
    :param part_rows: a part is written when it has so many rows.
    :param part_seconds: or with the first row that comes so many seconds after the part's first.
    :param clock: seconds, from any beginning.
    :raises OSError: if what an earlier attempt wrote is there but cannot be read.
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
        self.address = address
        self._folder = f"{folder}{RECEIPTS_FOLDER}batches/{batch}/"
        self._part_rows = part_rows
        self._part_seconds = part_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._pending: list[bytes] = []
        self._since = 0.0
        self.index = ManifestIndex(self._folder, address)
        self._number = _number_of(self.index.parts[-1]) if self.index.parts else 0
        if self.index.parts:
            log.info(
                "Going on with a batch that has %d rows in %d parts: %s",
                self.index.count,
                len(self.index.parts),
                self._folder,
            )

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; it is kept for good when its part is written.

        :raises OSError: if the part that is due could not be written; its rows go with the next one.
        """
        line = _as_line(row)
        with self._lock:
            self.index.take(row, line)
            if not self._pending:
                self._since = self._clock()
            self._pending.append(line)
            if len(self._pending) >= self._part_rows or self._clock() - self._since >= self._part_seconds:
                self.flush()

    def flush(self) -> None:
        """Write the rows that are in no part yet as a part, even from a signal handler in the middle of a write.

        :raises OSError: if the part could not be written; its rows go with the next one.
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
        """Write the whole manifest, remove the parts, and give the manifest's address.

        If it is stopped on the way, the parts are still there, and finishing again does the rest.

        :raises OSError: if the manifest could not be written; a manifest that was there before still is.
        """
        with self._lock:
            self.flush()
            write_streamed(self.address, self.index.lines())
            while self.index.parts:
                remove(self.index.parts[-1])
                self.index.parts.pop()
            remove_empty_folders(self._folder)
        return self.address

    def close(self) -> None:
        """Remove what is kept on this machine; rows that are in no part yet are lost without :meth:`flush`."""
        self.index.close()


def _number_of(part: str) -> int:
    match = PART_NAME.search(part)
    return int(match[1]) if match else 0


def _as_line(row: Mapping[str, Any]) -> bytes:
    """Give a row as JSON; half a character, which UTF-8 cannot hold, stays the escape that JSON has for it."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")
