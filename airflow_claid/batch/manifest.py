"""The manifest of a batch: what became of each item, one JSON line an item, beside the pictures.

Object storage cannot append, so a batch writes parts as it goes, ``_claid/batches/BATCH/part-00001.jsonl``, …, each
whole or not at all. A later attempt reads them and goes on with the next number; at the end they become the one
manifest, in the order of the rows, and are removed. A manifest or a part that cannot be read is never taken for one
that is not there. Nothing is kept in memory that grows with the batch.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import secrets
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_claid.storage.object_storage import create_whole, listed, located, remove
from airflow_claid.storage.places import RECEIPTS_FOLDER

log = logging.getLogger(__name__)

_PART = re.compile(r"part-([0-9]+)\.jsonl")
_LOCAL = ("file", "local")
_BLOCK = 8 << 20
"""Bytes that are read or sent at once; S3 takes no less than 5 MiB, Google wants a multiple of 256 KiB."""
_ROWS_AT_ONCE = 500

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE items (current INTEGER, number INTEGER, fingerprint TEXT, status TEXT, line BLOB,
                    PRIMARY KEY (current, number));
CREATE INDEX by_fingerprint ON items (fingerprint);
CREATE INDEX by_status ON items (current, status);
"""
_TAKE = "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)"
_GET = """
SELECT line FROM items WHERE fingerprint = ? AND status <> 'duplicate'
ORDER BY current DESC, status = 'done' DESC, number LIMIT 1
"""
_HAS = "SELECT 1 FROM items WHERE current AND number = ? AND fingerprint IS ?"
_COUNTS = "SELECT status, count(*) FROM items WHERE current = 1 GROUP BY status"
_LINES = "SELECT number, line FROM items WHERE current = 1 AND number > ? ORDER BY number LIMIT ?"


class ManifestIndex:
    """What became of the items of a batch, found by fingerprint; in a temporary file, which dies with the process.

    It may be asked from any thread.

    :param folder: address of the folder with the batch's parts, ending with ``/``.
    :param former: address of the manifest that an earlier batch finished, if there may be one. It need not have been
        of the same prompts: its rows are found by fingerprint, and are not counted.
    :raises OSError: if a part or the manifest is there but cannot be read (permission, timeout, …).
    """

    def __init__(self, folder: str, former: str | None = None) -> None:
        self._lock = threading.RLock()
        with tempfile.NamedTemporaryFile(prefix="airflow-claid-", suffix=".sqlite") as file:
            self._database = sqlite3.connect(file.name, check_same_thread=False)
            self._database.executescript(_SCHEMA)
        self.parts: list[str] = []
        """Addresses of the parts, oldest first."""
        try:
            if former is not None:
                self._take_file(former, current=False)
            numbered = ((_PART.fullmatch(file.uri.rpartition("/")[2]), file.uri) for file in listed(folder))
            for _, part in sorted((int(match[1]), uri) for match, uri in numbered if match):
                self._take_file(part, current=True)
                self.parts.append(part)
        except BaseException:
            self.close()
            raise

    def get(self, fingerprint: str) -> dict[str, Any] | None:
        """Give the row of an item that has ended before, in this batch or an earlier one; never a duplicate's row."""
        with self._lock:
            found = self._database.execute(_GET, (fingerprint,)).fetchone()
        row: dict[str, Any] | None = json.loads(found[0]) if found else None
        return row

    def has(self, number: int, fingerprint: str | None) -> bool:
        """Tell whether this batch has a row of this number for this item, so that it need not be added again."""
        with self._lock:
            return self._database.execute(_HAS, (number, fingerprint)).fetchone() is not None

    @property
    def count(self) -> int:
        """How many rows this batch has."""
        return sum(self.by_status().values())

    def by_status(self) -> dict[str, int]:
        """Give how many rows this batch has of each status."""
        with self._lock:
            return dict(self._database.execute(_COUNTS))

    def lines(self) -> Iterator[bytes]:
        """Give this batch's rows as JSON lines, in the order of their numbers."""
        number = -1
        while True:
            with self._lock:
                found = self._database.execute(_LINES, (number, _ROWS_AT_ONCE)).fetchall()
            if not found:
                return
            for number, line in found:  # noqa: B007 - the last one is where the next query goes on
                yield line + b"\n"

    def take(self, row: Mapping[str, Any], line: bytes) -> None:
        """Keep a row of this batch, in place of one of the same number."""
        self._take(row, line, current=True)

    def close(self) -> None:
        """Close and remove the temporary file."""
        with self._lock:
            self._database.close()

    def _take(self, row: Mapping[str, Any], line: bytes, *, current: bool) -> None:
        values = (current, row["row"], row["fingerprint"], row["status"], line)
        with self._lock:
            self._database.execute(_TAKE, values)

    def _take_file(self, address: str, *, current: bool) -> None:
        broken = []
        try:
            for number, line in enumerate(_lines_of(address), start=1):
                row = _row_of(line)
                if row is None:
                    broken.append(number)
                else:
                    self._take(row, line.rstrip(b"\r\n"), current=current)
        except FileNotFoundError:
            return
        if broken:
            log.warning("%s: %d broken lines are left out, the first is line %d", address, len(broken), broken[0])


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
            _write_streamed(self.address, self.index.lines())
            while self.index.parts:
                remove(self.index.parts[-1])
                self.index.parts.pop()
            _remove_empty(self._folder)
        return self.address

    def close(self) -> None:
        """Remove what is kept on this machine; rows that are in no part yet are lost without :meth:`flush`."""
        self.index.close()


def _number_of(part: str) -> int:
    match = _PART.search(part)
    return int(match[1]) if match else 0


def _as_line(row: Mapping[str, Any]) -> bytes:
    """Give a row as JSON; half a character, which UTF-8 cannot hold, stays the escape that JSON has for it."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def _row_of(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        whole = (
            isinstance(row, dict)
            and type(row["row"]) is int
            and isinstance(row["fingerprint"], (str, type(None)))
            and isinstance(row["status"], str)
        )
    except (ValueError, KeyError):
        return None
    return row if whole else None


def _lines_of(address: str) -> Iterator[bytes]:
    path = located(address)
    path.fs.invalidate_cache()
    with path.fs.open(path.path, "rb", block_size=_BLOCK) as file, io.BufferedReader(file) as lines:
        yield from lines


def _write_streamed(address: str, lines: Iterable[bytes]) -> None:
    """Write a file, line by line, that appears under its name only when it is whole."""
    path = located(address)
    if path.protocol in _LOCAL:
        final = Path(path.path)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")
        try:
            with partial.open("wb") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(final)
        finally:
            partial.unlink(missing_ok=True)
        return
    upload = path.fs.open(path.path, "wb", block_size=_BLOCK, autocommit=False)
    try:
        upload.writelines(lines)
        upload.close()
        upload.commit()
    except BaseException:
        with suppress(Exception):
            upload.discard()
        upload.closed = True
        raise


def _remove_empty(folder: str) -> None:
    """Remove a batch's local folder, and that of all batches, where nothing is left in them; a bucket has none."""
    path = located(folder)
    if path.protocol in _LOCAL:
        with suppress(OSError):
            Path(path.path).rmdir()
            Path(path.path).parent.rmdir()
