"""Temporary addresses: generated pictures as recipes, edited ones as files that go with the sandbox."""

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
class _Drawn:
    """The pictures of one generation; numbers ``first`` to ``count`` share one record."""

    made: float
    recipe: Recipe


@dataclass(frozen=True)
class _Stored:
    """A file on disk, named by its content."""

    made: float
    digest: str
    mime: str


class TemporaryFiles:
    """What is behind ``/tmp/<uuid>/<random>_<n>.png``, for ``ttl`` seconds.

    A generation costs memory for its prompt only; a picture is drawn when it is fetched. Files of edits lie in a folder
    that goes with the sandbox, at most 4 GiB, the oldest dropped first.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._folder = tempfile.TemporaryDirectory(prefix="claid-sandbox-")
        self._records: OrderedDict[str, _Drawn | _Stored] = OrderedDict()
        self._cache: OrderedDict[Recipe, bytes] = OrderedDict()
        self._cached = 0
        self._on_disk = 0
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def add_drawn(self, recipe: Recipe) -> list[str]:
        """Keep a generation; return the path of each of its ``count`` pictures."""
        folder = str(uuid.uuid4())
        with self._lock:
            self._records[folder] = _Drawn(self._clock(), recipe)
        return [f"/tmp/{folder}/{_token(folder, number)}_{number}.png" for number in range(1, recipe.count + 1)]  # noqa: S108

    def add_file(self, content: bytes, mime: str, extension: str) -> str:
        """Keep an edited file; return its path."""
        folder = str(uuid.uuid4())
        digest = hashlib.sha256(content).hexdigest()
        place = self._place(digest)
        with self._lock:
            if digest not in self._sizes:
                place.write_bytes(content)
                self._sizes[digest] = len(content)
                self._on_disk += len(content)
            self._records[folder] = _Stored(self._clock(), digest, mime)
            self._drop_oldest()
        return f"/tmp/{folder}/{_token(folder, 1)}_1.{extension}"  # noqa: S108

    def fetch(self, folder: str, name: str, ttl: float) -> Download | None:
        """Return the file behind an address, or None if there is none, or none any more."""
        with self._lock:
            record = self._records.get(folder)
        stem = name.partition(".")[0]
        token, _, number = stem.rpartition("_")
        if record is None or not number.isascii() or not number.isdigit() or token != _token(folder, int(number)):
            return None
        if self._clock() >= record.made + ttl:
            return None
        if isinstance(record, _Drawn):
            return self._drawn(record, int(number))
        try:
            return Download(self._place(record.digest).read_bytes(), record.mime)
        except FileNotFoundError:
            return None

    def expired(self, folder: str, ttl: float) -> bool:
        """Tell whether an address once was, and is no more."""
        with self._lock:
            record = self._records.get(folder)
        return record is not None and self._clock() >= record.made + ttl

    def reset(self) -> None:
        """Forget every address."""
        with self._lock:
            self._records.clear()
            self._cache.clear()
            self._cached = 0
            for digest in self._sizes:
                self._place(digest).unlink(missing_ok=True)
            self._sizes.clear()
            self._on_disk = 0

    def close(self) -> None:
        """Delete the folder."""
        self._folder.cleanup()

    def _place(self, digest: str) -> Path:
        return Path(self._folder.name) / digest

    def _drop_oldest(self) -> None:
        while self._on_disk > DISK_BYTES:
            digest, size = self._sizes.popitem(last=False)
            self._on_disk -= size
            self._place(digest).unlink(missing_ok=True)

    def _drawn(self, record: _Drawn, number: int) -> Download | None:
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
                    self._cached += len(content)
                while self._cached > CACHE_BYTES:
                    self._cached -= len(self._cache.popitem(last=False)[1])
        return Download(content, "image/png")


def _token(folder: str, number: int) -> str:
    return hashlib.sha256(f"{folder}/{number}".encode()).hexdigest()[:16]
