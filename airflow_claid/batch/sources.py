"""Where the items of a batch come from: what an address stands for, and the items of what it stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

from airflow_claid.batch.catalogue_files import CatalogueFile
from airflow_claid.batch.columns import Columns
from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.batch.item_rows import ItemRow, row_of
from airflow_claid.batch.manifest_file import ManifestFile, may_be_manifest
from airflow_claid.batch.manifest_items import ManifestItems
from airflow_claid.batch.opened_files import JSON_LINES, existing, is_catalogue, kind_of_file, wrong
from airflow_claid.orders.batch_edit import READABLE_SUFFIXES
from airflow_claid.storage.addresses import (
    is_connected,
    is_folder,
    is_glob,
    is_storage,
    without_connection,
)
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.file_patterns import file_pattern
from airflow_claid.storage.found_files import FoundFiles
from airflow_claid.storage.object_storage import find
from airflow_claid.storage.stored_files import StoredFile


class Source(Protocol):
    """What has items."""

    def rows(self, first: int) -> Iterator[ItemRow]:
        """Yield the items, counted from a number.

        :raises ClaidValidationError: if the source as a whole cannot be used.
        """

    def count(self) -> int:
        """Return how many items there are.

        :raises ClaidValidationError: as :meth:`rows`.
        """

    def content(self) -> str | None:
        """Return what tells one content from another."""

    def has(self, uri: str) -> bool | None:
        """Tell whether a picture is there; ``None`` where that is not known."""

    def close(self) -> None:
        """Remove temporary files."""


@dataclass(frozen=True)
class Filters:
    """Which files of a folder, or of a glob, count; see :class:`.found_files.FoundFiles`.

    :param suffixes: ``None``: those of pictures that Claid reads.
    """

    recursive: bool = True
    suffixes: tuple[str, ...] | None = None
    modified_since: datetime | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How all addresses of a batch are read.

    :param kind: what the items are about.
    :param renamed: what files call our columns.
    :param filters: which files of folders and globs count.
    :param readable: returns the address by which Airflow reads what is in a storage that is connected to Claid.
    :param told: what was logged about columns.
    """

    kind: ItemKind
    renamed: Mapping[str, str | int | None]
    filters: Filters
    readable: Callable[[str], str]
    told: set[str] = field(default_factory=set)

    def columns(self, where: str) -> Columns:
        """Return the columns of a list or a file."""
        kind = self.kind
        return Columns(where, kind.columns, kind.subject, self.renamed, kind.overrides, self.told)

    def columns_of_manifest(self, where: str) -> Columns:
        """Return the columns of a manifest: those that are named, and no other."""
        named = [ours for ours, theirs in self.renamed.items() if theirs is not None]
        return Columns(where, named, None, self.renamed, self.kind.overrides, self.told)

    @property
    def takes_manifests(self) -> bool:
        """Whether the pictures of a manifest are items; its rows are, where the subject's column is named."""
        return self.kind.pictures and self.kind.subject not in self.renamed


def is_source(address: str, kind: ItemKind) -> bool:
    """Tell whether an address may stand for several items, by how it is written; any other is that of one picture."""
    if not kind.pictures:
        return True
    return is_listed(address) or is_catalogue(address) or may_be_manifest(address)


def is_listed(address: str) -> bool:
    """Tell whether an address is that of a folder or a glob, by how it is written."""
    return is_folder(address) or is_glob(address)


def source_of(address: str, reading: Reading) -> Source | None:
    """Return what an address stands for; ``None`` for one picture.

    A file whose own name has the characters of a glob is that file.

    :raises ClaidValidationError: if an address of this kind has no items.
    """
    kind = reading.kind
    if not is_source(address, kind):
        return None
    if is_connected(address):
        address = reading.readable(address)
    if is_glob(address) and is_storage(address) and not (not address.endswith("/") and find(address, kind.parameter)):
        return _FilesOfRows(address, reading) if is_catalogue(address) else _listed(address, reading)
    if kind.pictures and is_folder(address):
        return _listed(address, reading)
    if not kind.pictures or is_catalogue(address) or may_be_manifest(address):
        return _File(address, reading)
    return None


def _listed(address: str, reading: Reading) -> Source:
    if reading.kind.pictures:
        return _Folder(address, reading)
    raise wrong(
        reading.kind.parameter,
        address,
        f"matches files of any kind, and {reading.kind.parameter} are read from files of rows: let it end with their "
        "suffix, such as '*.csv'",
    )


class _File:
    """The items of one file: a manifest's pictures, or the rows of any other.

    :param address: of the file.
    """

    def __init__(self, address: str, reading: Reading) -> None:
        self._address = address
        self._reading = reading

    @cached_property
    def _items(self) -> ManifestItems | _CatalogueItems:
        address, reading = self._address, self._reading
        existing(address, reading.kind.parameter)
        is_candidate = reading.takes_manifests and may_be_manifest(address)
        if is_candidate and ManifestFile(address, reading.kind.parameter).is_manifest():
            return ManifestItems(address, reading.kind, reading.columns_of_manifest(address))
        return _CatalogueItems(address, reading)

    def rows(self, first: int) -> Iterator[ItemRow]:
        return self._items.rows(first)

    def count(self) -> int:
        return self._items.count()

    def content(self) -> str | None:
        return checksum_if_there(self._address, self._reading.kind.parameter)

    def has(self, uri: str) -> bool | None:
        return None

    def close(self) -> None:
        """Nothing is kept."""


class _CatalogueItems:
    """The rows of a file of any other kind."""

    def __init__(self, address: str, reading: Reading) -> None:
        self._kind = reading.kind
        self._file = CatalogueFile(address, reading.columns(address), reading.kind.parameter)

    def rows(self, first: int) -> Iterator[ItemRow]:
        for number, record in enumerate(self._file.records(), start=first):
            yield row_of(number, record, self._kind)

    def count(self) -> int:
        return self._file.count()


class _Folder:
    """The pictures of a folder or a glob.

    :param address: of the folder or glob.
    :raises ClaidValidationError: if results are written to the folder itself.
    """

    def __init__(self, address: str, reading: Reading) -> None:
        filters, parameter = reading.filters, reading.kind.parameter
        self._subject = reading.kind.subject
        self._pattern = file_pattern(address, parameter=parameter, recursive=filters.recursive)
        self._mirrors = filters.recursive or is_glob(address)
        self._files = _found(
            address,
            self._pattern.folder,
            parameter,
            filters,
            READABLE_SUFFIXES if filters.suffixes is None else filters.suffixes,
        )

    def rows(self, first: int) -> Iterator[ItemRow]:
        start = len(self._pattern.folder)
        for number, file in enumerate(self._files, start=first):
            folder, slash, _ = file.uri[start:].rpartition("/") if self._mirrors else ("", "", "")
            problem = f"is {file.uri!r}, an empty file (0 bytes): upload it again" if file.size == 0 else None
            yield ItemRow(number, {self._subject: file.uri}, problem=problem, file=file, folder=folder + slash)

    def count(self) -> int:
        return len(self._files)

    def content(self) -> str | None:
        return _digest(self._files, len(self._pattern.folder))

    def has(self, uri: str) -> bool | None:
        path, folder = without_connection(uri), without_connection(self._pattern.folder)
        if not path.startswith(folder):
            return None
        path = path[len(folder) :]
        if not self._pattern.matches(path) or ("/" in path and not self._pattern.recursive):
            return None
        return self._files.has(uri)

    def close(self) -> None:
        self._files.close()


class _FilesOfRows:
    """The items of all files of rows, or manifests, that a glob matches, one file after the other.

    :param address: the glob.
    """

    def __init__(self, address: str, reading: Reading) -> None:
        filters, parameter = reading.filters, reading.kind.parameter
        self._reading = reading
        self._folder = file_pattern(address, parameter=parameter, recursive=True).folder
        without = filters.without if kind_of_file(address)[0] in JSON_LINES else ()
        listed = Filters(filters.recursive, filters.suffixes, filters.modified_since, without)
        self._files = _found(address, self._folder, parameter, listed, filters.suffixes)

    @cached_property
    def _sources(self) -> list[_File]:
        return [_File(file.uri, self._reading) for file in self._files]

    def rows(self, first: int) -> Iterator[ItemRow]:
        for source in self._sources:
            for row in source.rows(first):
                yield row
                first = row.number + 1

    def count(self) -> int:
        return sum(source.count() for source in self._sources)

    def content(self) -> str | None:
        return _digest(self._files, len(self._folder))

    def has(self, uri: str) -> bool | None:
        return None

    def close(self) -> None:
        self._files.close()


def _found(address: str, folder: str, parameter: str, filters: Filters, suffixes: tuple[str, ...] | None) -> FoundFiles:
    """Return the files of a folder or a glob, without those that results are written to.

    Where the folder lies in the one that results are written to, these are beside it, and nothing is left out.
    """
    place = without_connection(folder)
    for output in filters.without:
        if without_connection(_as_folder(output)) == place:
            raise wrong(
                parameter,
                address,
                f"and output={output!r} are one folder: the results of today would be among the items of tomorrow. "
                f"Give output a folder of its own, such as {_as_folder(output) + 'edited/'!r}",
            )
    return FoundFiles(
        address,
        parameter=parameter,
        recursive=filters.recursive,
        suffixes=suffixes,
        modified_since=filters.modified_since,
        without=[output for output in filters.without if not place.startswith(without_connection(_as_folder(output)))],
    )


def _as_folder(address: str) -> str:
    return address if address.endswith("/") else f"{address}/"


def _digest(files: Sequence[StoredFile] | FoundFiles, start: int) -> str:
    """Return the digest of a listing, which is another whenever a file comes, goes or changes.

    :param start: where, in their addresses, the paths in the folder begin.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.uri[start:]}\0{file.checksum or file.state}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()
