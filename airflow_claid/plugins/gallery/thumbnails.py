"""Small pictures of large ones, made once and kept for a while in a file that disappears with the process."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_claid.delivery import jpeg
from airflow_claid.delivery.formats import Pieces, format_of
from airflow_claid.delivery.memory import MemoryBudget
from airflow_claid.delivery.opening import CannotOpenError, reduced
from airflow_claid.errors import DownloadRefusedError
from airflow_claid.plugins.gallery.files import File, Reach
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.storage.addresses import is_connected, is_link
from airflow_claid.storage.temporary_database import temporary_database

SIDES = {"thumbnail": 360, "large": 1600}
"""Pixels of the longer side."""

MEMORY_BYTES = 300_000_000
"""What opening pictures may take in the API server: one of 60 million pixels, or several of the usual size."""

KEPT_BYTES = 128_000_000
"""On disk, for each process of the API server."""

_FRESH_SECONDS = 30.0
_MOST_ADDRESSES = 20_000

_SCHEMA = """
CREATE TABLE made (key TEXT PRIMARY KEY, used INTEGER, width INTEGER, height INTEGER, size INTEGER, content BLOB);
CREATE INDEX by_use ON made (used);
"""


@dataclass(frozen=True)
class Shown:
    """A picture as the page shows it.

    :param etag: changes with the picture.
    :param width: pixels of the picture itself; ``height`` likewise.
    """

    content: bytes
    etag: str
    width: int
    height: int


class Thumbnails:
    """Makes and keeps them; thread-safe.

    :param reach: finds the files.
    :param kept_bytes: of all that are kept.
    :param clock: seconds that only grow.
    """

    def __init__(
        self, reach: Reach, *, kept_bytes: int = KEPT_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reach = reach
        self._kept_bytes = kept_bytes
        self._clock = clock
        self._memory = MemoryBudget(MEMORY_BYTES)
        self._lock = threading.Lock()
        self._database = temporary_database(_SCHEMA)
        self._total = 0
        self._uses = 0
        self._seen: dict[tuple[str, str], tuple[float, File]] = {}

    def get(self, address: str, size: str, connection: Callable[[], str]) -> Shown:
        """Return a picture, small or large; whether its file has changed is asked twice a minute at most.

        :param size: one of :data:`SIDES`.
        :param connection: returns the id of the Claid connection, where it is needed.
        :raises NotShownError: with the reason.
        """
        file = self._file(address, connection)
        key = hashlib.sha256("\0".join((size, file.address, file.state)).encode(errors="replace")).hexdigest()
        shown = self._kept(key)
        if shown is None:
            shown = _made(file, SIDES[size], key, self._memory)
            self._keep(key, shown)
        return shown

    def _file(self, address: str, connection: Callable[[], str]) -> File:
        needed = connection() if is_connected(address) or is_link(address) else ""
        looked, file = self._seen.get((address, needed), (0.0, None))
        if file is not None and self._clock() - looked < _FRESH_SECONDS:
            return file
        self._seen.pop((address, needed), None)
        file = self._reach.file(address, lambda: needed)
        with self._lock:
            if len(self._seen) >= _MOST_ADDRESSES:
                self._seen.clear()
            self._seen[address, needed] = (self._clock(), file)
        return file

    def _kept(self, key: str) -> Shown | None:
        with self._lock:
            found = self._database.execute("SELECT content, width, height FROM made WHERE key = ?", (key,)).fetchone()
            if found is None:
                return None
            self._uses += 1
            self._database.execute("UPDATE made SET used = ? WHERE key = ?", (self._uses, key))
        return Shown(found[0], key[:32], found[1], found[2])

    def _keep(self, key: str, shown: Shown) -> None:
        """Keep a picture, and let go of those that nobody asked for longest."""
        size = len(shown.content)
        with self._lock:
            self._uses += 1
            row = (key, self._uses, shown.width, shown.height, size, shown.content)
            added = self._database.execute("INSERT OR IGNORE INTO made VALUES (?, ?, ?, ?, ?, ?)", row).rowcount
            self._total += size * added
            while self._total > self._kept_bytes:
                oldest, its_size = self._database.execute("SELECT key, size FROM made ORDER BY used LIMIT 1").fetchone()
                self._database.execute("DELETE FROM made WHERE key = ?", (oldest,))
                self._total -= its_size

    def close(self) -> None:
        """Remove what is kept."""
        with self._lock:
            self._database.close()


def _made(file: File, side: int, key: str, memory: MemoryBudget) -> Shown:
    with file.content() as content:
        kind = format_of(content[:16])
        if kind is None:
            raise NotShownError("The file is no picture that can be shown here.", status=415)
        try:
            if kind == "JPEG":
                jpeg.check_scans(content, jpeg.start_of(Pieces.of(content)))
            small, (width, height) = reduced(content, kind, side, memory)
        except (CannotOpenError, DownloadRefusedError) as error:
            raise NotShownError(f"The picture cannot be shown here: {error}.", status=413) from None
        except Exception as error:  # noqa: BLE001 - Pillow raises errors of any kind about a broken file
            raise NotShownError(f"The picture is broken ({type(error).__name__}).", status=415) from None
    return Shown(small, key[:32], width, height)
