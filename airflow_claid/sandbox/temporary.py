"""Temporary addresses: recipes of generated pictures, and files of edited ones."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airflow_claid.sandbox.drawing.pictures import Recipe, png

CACHE_BYTES = 16 * 1024 * 1024
DISK_BYTES = 4 * 1024 * 1024 * 1024


@dataclass(frozen=True)
class Download:
    """A file behind a temporary address."""

    content: bytes
    mime: str


@dataclass(frozen=True)
class _GeneratedPictures:
    """The pictures of one generation, which share one record."""

    created_at: float
    recipe: Recipe


@dataclass(frozen=True)
class _StoredFile:
    """A file on disk, named after the hash of its content."""

    created_at: float
    digest: str
    mime: str


class TemporaryFiles:
    """The files behind ``/tmp/<uuid>/<random>_<n>.png``, each for ``ttl`` seconds.

    Generated pictures take memory for their prompt only: each is drawn when it is fetched. Edited files are stored in a
    folder that is deleted with the sandbox. It holds at most 4 GiB; the oldest files are deleted first.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._folder = tempfile.TemporaryDirectory(prefix="claid-sandbox-")
        self._records: OrderedDict[str, _GeneratedPictures | _StoredFile] = OrderedDict()
        self._cache: OrderedDict[Recipe, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._disk_bytes = 0
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def add_generated(self, recipe: Recipe) -> list[str]:
        """Add the pictures of a generation; return the path of each."""
        folder = str(uuid.uuid4())
        with self._lock:
            self._records[folder] = _GeneratedPictures(self._clock(), recipe)
        return [f"/tmp/{folder}/{_token(folder, number)}_{number}.png" for number in range(1, recipe.count + 1)]  # noqa: S108

    def add_file(self, content: bytes, mime: str, extension: str) -> str:
        """Store an edited file; return its path."""
        folder = str(uuid.uuid4())
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        with self._lock:
            if digest not in self._sizes:
                path.write_bytes(content)
                self._sizes[digest] = len(content)
                self._disk_bytes += len(content)
            self._records[folder] = _StoredFile(self._clock(), digest, mime)
            self._drop_oldest()
        return f"/tmp/{folder}/{_token(folder, 1)}_1.{extension}"  # noqa: S108

    def fetch(self, folder: str, name: str, ttl: float) -> Download | None:
        """Return the file behind an address; None if the address is unknown or has expired."""
        with self._lock:
            record = self._records.get(folder)
        stem = name.partition(".")[0]
        token, _, number = stem.rpartition("_")
        if record is None or not number.isascii() or not number.isdigit() or token != _token(folder, int(number)):
            return None
        if self._clock() >= record.created_at + ttl:
            return None
        if isinstance(record, _GeneratedPictures):
            return self._draw(record, int(number))
        try:
            return Download(self._path(record.digest).read_bytes(), record.mime)
        except FileNotFoundError:
            return None

    def is_expired(self, folder: str, ttl: float) -> bool:
        """Return whether an address existed and has expired."""
        with self._lock:
            record = self._records.get(folder)
        return record is not None and self._clock() >= record.created_at + ttl

    def reset(self) -> None:
        """Forget all addresses and delete all files."""
        with self._lock:
            self._records.clear()
            self._cache.clear()
            self._cached_bytes = 0
            for digest in self._sizes:
                self._path(digest).unlink(missing_ok=True)
            self._sizes.clear()
            self._disk_bytes = 0

    def close(self) -> None:
        """Delete the folder."""
        self._folder.cleanup()

    def _path(self, digest: str) -> Path:
        return Path(self._folder.name) / digest

    def _drop_oldest(self) -> None:
        while self._disk_bytes > DISK_BYTES:
            digest, size = self._sizes.popitem(last=False)
            self._disk_bytes -= size
            self._path(digest).unlink(missing_ok=True)

    def _draw(self, record: _GeneratedPictures, number: int) -> Download | None:
        if not 1 <= number <= record.recipe.count:
            return None
        recipe = record.recipe.numbered(number)
        with self._lock:
            content = self._cache.get(recipe)
            if content is not None:
                self._cache.move_to_end(recipe)
        if content is None:
            content = png(recipe)
            with self._lock:
                if recipe not in self._cache:
                    self._cache[recipe] = content
                    self._cached_bytes += len(content)
                while self._cached_bytes > CACHE_BYTES:
                    self._cached_bytes -= len(self._cache.popitem(last=False)[1])
        return Download(content, "image/png")


def _token(folder: str, number: int) -> str:
    return hashlib.sha256(f"{folder}/{number}".encode()).hexdigest()[:16]
