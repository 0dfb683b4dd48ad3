"""An index of the rows in a batch's manifest, by fingerprint and by input."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_claid.batch.counts import GONE
from airflow_claid.batch.manifest_file import row_of
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import BLOCK_BYTES, located
from airflow_claid.storage.temporary_database import temporary_database

log: logging.Logger = logging.getLogger(__name__)


PART_NAME = re.compile(r"part-([0-9]+)\.jsonl")


_ROWS_AT_ONCE = 500


_SCHEMA = """
CREATE TABLE items (current INTEGER, number INTEGER, fingerprint TEXT, status TEXT, input INTEGER, line BLOB,
                    PRIMARY KEY (current, number));
CREATE INDEX by_fingerprint ON items (fingerprint);
CREATE INDEX by_input ON items (input) WHERE input IS NOT NULL;
CREATE INDEX by_status ON items (current, status);
"""


_TAKE = "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?)"


_GET = """
SELECT line FROM items WHERE fingerprint = ? AND status <> 'duplicate'
ORDER BY current DESC, status = 'done' DESC, number LIMIT 1
"""


_HAS = "SELECT 1 FROM items WHERE current AND number = ? AND fingerprint IS ?"


_OF_INPUT = "SELECT line FROM items WHERE input = ? ORDER BY current DESC"


_FORGET_AFTER = "DELETE FROM items WHERE current = 1 AND number > ?"


_COUNTS = "SELECT status, count(*) FROM items WHERE current = 1 GROUP BY status"


_LINES = "SELECT number, line FROM items WHERE current = ? AND number > ? ORDER BY number LIMIT ?"


class ManifestIndex:
    """Looks up the results of a batch by fingerprint, in a temporary file that disappears with the process.

    Thread-safe.

    :param folder: address of the folder with the batch's parts, ending with ``/``.
    :param former: address of the manifest of an earlier batch, if there may be one. That batch need not have had the
        same prompts: its rows are found by fingerprint, and are not counted.
    :raises OSError: if a part or the manifest exists but cannot be read (permission, timeout, …).
    """

    def __init__(self, folder: str, former: str | None = None) -> None:
        self._lock = threading.RLock()
        self._database = temporary_database(_SCHEMA)
        self.parts: list[str] = []
        """Addresses of the parts, oldest first."""
        try:
            if former is not None:
                self._take_file(former, current=False)
            numbered = ((PART_NAME.fullmatch(file.uri.rpartition("/")[2]), file.uri) for file in list_files(folder))
            for _, part in sorted((int(match[1]), uri) for match, uri in numbered if match):
                self._take_file(part, current=True)
                self.parts.append(part)
        except BaseException:
            self.close()
            raise

    def get(self, fingerprint: str) -> dict[str, Any] | None:
        """Return the row of an item that ended before, in this batch or an earlier one; never that of a duplicate."""
        with self._lock:
            record = self._database.execute(_GET, (fingerprint,)).fetchone()
        row: dict[str, Any] | None = json.loads(record[0]) if record else None
        return row

    def has(self, number: int, fingerprint: str | None) -> bool:
        """Return whether this batch already has a row with this number for this item."""
        with self._lock:
            return self._database.execute(_HAS, (number, fingerprint)).fetchone() is not None

    @property
    def count(self) -> int:
        """Number of rows in this batch."""
        return sum(self.by_status().values())

    def by_status(self) -> dict[str, int]:
        """Return the number of rows in this batch by status."""
        with self._lock:
            return dict(self._database.execute(_COUNTS))

    def lines(self) -> Iterator[bytes]:
        """Yield this batch's rows as lines of JSON, in the order of their numbers."""
        for line in self._lines(current=True):
            yield line + b"\n"

    def former(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the earlier batch's manifest, in the order of their numbers."""
        return map(json.loads, self._lines(current=False))

    def version_of(self, address: str, listed: str) -> str | None:
        """Return which content an input had when a listing told this state of it; ``None`` where no row knows.

        :param address: of the input; its connection does not matter.
        """
        address = without_connection(address)
        with self._lock:
            records = self._database.execute(_OF_INPUT, (hash(address),)).fetchall()
        for row in map(json.loads, (line for (line,) in records)):
            version = row.get("version")
            if row.get("listed") == listed and isinstance(version, str) and without_connection(row["input"]) == address:
                return version
        return None

    def forget_after(self, number: int) -> None:
        """Forget this batch's rows with higher numbers: an earlier attempt had more items."""
        with self._lock:
            self._database.execute(_FORGET_AFTER, (number,))

    def paths(self) -> Iterator[str]:
        """Yield the paths of this batch's pictures, in the order of their rows."""
        for row in map(json.loads, self._lines(current=True)):
            if row["status"] != GONE:
                yield from row.get("paths") or ()

    def take(self, row: Mapping[str, Any], line: bytes) -> None:
        """Store a row of this batch, replacing one with the same number."""
        self._take(row, line, current=True)

    def close(self) -> None:
        """Close and remove the temporary file."""
        with self._lock:
            self._database.close()

    def _lines(self, *, current: bool) -> Iterator[bytes]:
        number = -1
        while True:
            with self._lock:
                records = self._database.execute(_LINES, (current, number, _ROWS_AT_ONCE)).fetchall()
            if not records:
                return
            for number, line in records:  # noqa: B007 - the next query starts after the last one
                yield line

    def _take(self, row: Mapping[str, Any], line: bytes, *, current: bool) -> None:
        address = row.get("input")
        key = hash(without_connection(address)) if isinstance(address, str) else None
        values = (current, row["row"], row["fingerprint"], row["status"], key, line)
        with self._lock:
            self._database.execute(_TAKE, values)

    def _take_file(self, address: str, *, current: bool) -> None:
        broken = []
        try:
            for number, line in enumerate(lines_of(address), start=1):
                row = row_of(line)
                if row is None:
                    broken.append(number)
                else:
                    self._take(row, line.rstrip(b"\r\n"), current=current)
        except FileNotFoundError:
            return
        if broken:
            log.warning("%s: skipped %d broken lines, the first is line %d", address, len(broken), broken[0])


def lines_of(address: str) -> Iterator[bytes]:
    """Yield the lines of a manifest or a part, as they are there now."""
    path = located(address)
    path.fs.invalidate_cache()
    with path.fs.open(path.path, "rb", block_size=BLOCK_BYTES) as file, io.BufferedReader(file) as lines:
        yield from lines
