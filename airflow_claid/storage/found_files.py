"""The files of a folder or a glob: listed once, looked at as often as one likes, however many there are."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.addresses import is_glob, quoted_path_problem, without_connection
from airflow_claid.storage.file_filters import FileFilters
from airflow_claid.storage.file_patterns import file_pattern
from airflow_claid.storage.listing import stream_files
from airflow_claid.storage.stored_files import StoredFile
from airflow_claid.storage.temporary_database import temporary_database

_SCHEMA = """
CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER, state TEXT, checksum TEXT, modified INTEGER, kept INTEGER)
WITHOUT ROWID
"""
_TAKE = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)"
_COUNT = "SELECT count(*), coalesce(sum(kept), 0) FROM files"
_HAS = "SELECT 1 FROM files WHERE path = ?"
_NEXT = "SELECT path, size, state, checksum, modified FROM files WHERE kept AND path > ? ORDER BY path LIMIT ?"

_ROWS_AT_ONCE = 500
_COUNTED_AT_MOST = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


class FoundFiles:
    """The files of a folder or a glob, in the order of their addresses.

    They are listed when something of them is first asked for, into a temporary file that disappears with the process.
    Thread-safe.

    Left out are receipts (whatever is below a ``_claid/`` folder), and hidden files and folders, whose names begin
    with a dot.

    :param address: of a folder, ending with ``/``, or of a glob (see :mod:`airflow_claid.storage.file_patterns`); in a
        bucket or local, no link and in no connected storage.
    :param parameter: the parameter that the address came from, for errors.
    :param recursive: whether the folders in a folder count as well; a glob says that itself.
    :param suffixes: what the names end with, in upper or lower case, such as ``(".jpg", ".png")``; ``None``: anything.
    :param modified_since: leaves out files that were last written before, by the second; one whose storage does not
        tell is kept.
    :param without: addresses of folders that are left out with all that is in them, such as the one that results are
        written to.
    :raises ClaidValidationError: if one of these is not as described here. When the files are listed, if there are
        none, or none has one of the suffixes; that none is new enough is no error.
    """

    def __init__(
        self,
        address: str,
        *,
        parameter: str = "input",
        recursive: bool = True,
        suffixes: tuple[str, ...] | None = None,
        modified_since: datetime | None = None,
        without: Sequence[str] = (),
    ) -> None:
        self._address = address
        self._parameter = parameter
        self._suffixes = suffixes
        self._without = without
        self._pattern = file_pattern(address, parameter=parameter, recursive=recursive)
        self._folder = self._pattern.folder
        self._filters = FileFilters(self._folder, suffixes, modified_since, without)
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._counts = (0, 0)

    def __len__(self) -> int:
        """Return how many files there are, after all filters."""
        with self._lock:
            self._listed_database()
            return self._counts[1]

    @property
    def listed(self) -> int:
        """Number of files before ``suffixes`` and ``modified_since``."""
        with self._lock:
            self._listed_database()
            return self._counts[0]

    def has(self, uri: str) -> bool:
        """Tell whether a file was listed, before ``suffixes`` and ``modified_since``; if not, it is there no more.

        :param uri: its address, with any connection or none.
        """
        uri, folder = without_connection(uri), without_connection(self._folder)
        return uri.startswith(folder) and bool(self._rows(_HAS, _stored(uri[len(folder) :])))

    def __iter__(self) -> Iterator[StoredFile]:
        """Yield the files, after all filters."""
        path = b""
        while rows := self._rows(_NEXT, path, _ROWS_AT_ONCE):
            for path, size, state, checksum, modified in rows:
                moment = None if modified is None else _EPOCH + modified * _MICROSECOND
                yield StoredFile(self._folder + path.decode("utf-8", "surrogatepass"), size, state, checksum, moment)

    def close(self) -> None:
        """Remove the temporary file; after that nothing may be asked."""
        with self._lock:
            if self._database is not None:
                self._database.close()

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return self._listed_database().execute(query, values).fetchall()

    def _listed_database(self) -> sqlite3.Connection:
        """Return the database, after the files were listed. The lock is held."""
        if self._database is None:
            database = temporary_database(_SCHEMA)
            try:
                others: Counter[str] = Counter()
                database.executemany(_TAKE, self._listing(others))
                self._counts = database.execute(_COUNT).fetchone()
                self._check(others)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _listing(self, others: Counter[str]) -> Iterator[tuple[object, ...]]:
        """Yield the rows of the files before filters, and count the suffixes of those that have another."""
        pattern, filters = self._pattern, self._filters
        for path, file in self._stream(recursive=pattern.recursive, beginning=pattern.beginning, receipts=False):
            if not pattern.matches(path) or filters.leave_out(path):
                continue
            fits = filters.fit_name(path)
            if not fits:
                suffix = PurePosixPath(path).suffix.lower() or "no suffix"
                others[suffix if suffix in others or len(others) < _COUNTED_AT_MOST else "others"] += 1
            modified = None if file.modified is None else (file.modified - _EPOCH) // _MICROSECOND
            yield _stored(path), file.size, file.state, file.checksum, modified, fits and filters.fit_time(file)

    def _stream(
        self, *, recursive: bool, receipts: bool = True, beginning: str = ""
    ) -> Iterator[tuple[str, StoredFile]]:
        """List the files of the folder, each with its path in it."""
        for file in stream_files(
            self._folder, recursive=recursive, receipts=receipts, beginning=beginning, parameter=self._parameter
        ):
            yield file.uri[len(self._folder) :], file

    def _check(self, others: Counter[str]) -> None:
        """Refuse an address without files, or without any that has one of the suffixes."""
        listed, _ = self._counts
        if not listed:
            raise ClaidValidationError(f"{self._parameter}={self._address!r} {self._nothing_there()}")
        if others.total() == listed:
            shown = ", ".join(f"{suffix} ({count})" for suffix, count in others.most_common(5))
            raise ClaidValidationError(
                f"suffixes={self._suffixes!r} are those of none of the {listed} files at "
                f"{self._parameter}={self._address!r}, whose names end with {shown}: add what shall count"
            )

    def _nothing_there(self) -> str:
        """Say what there is instead of what the address names."""
        folder, left_out, count, example = self._folder, 0, 0, ""
        for path, file in self._stream(recursive=True):
            if self._filters.leave_out(path):
                left_out += 1
                continue
            count, example = count + 1, min(example or file.uri, file.uri)
            if count == _COUNTED_AT_MOST:
                break
        number = f"{count}{' or more' if count == _COUNTED_AT_MOST else ''}"
        if count and is_glob(self._address):
            return (
                f"matches none of the {number} files below {folder!r}, such as {example!r}: '*', '?' and '[…]' stand "
                "for parts of one name, '**' also for folders, and '[*]' is a '*' of a name itself"
            )
        if count:
            return f"has no files but {number} in the folders within, such as {example!r}: use recursive=True"
        if left_out:
            places = ", ".join(map(repr, self._without))
            return (
                f"has only files that are left out ({left_out}): hidden ones, receipts (_claid/)"
                f"{f', and what is in {places}' if places else ''}"
            )
        if problem := quoted_path_problem(self._address):
            return problem
        where = f"below {folder!r}" if is_glob(self._address) else "in this folder"
        return f"has no files: nothing is {where}, which is missing or empty. A folder is named with '/' at its end"


def _stored(path: str) -> bytes:
    """Return a path as it is kept; local names need not be text."""
    return path.encode("utf-8", "surrogatepass")
