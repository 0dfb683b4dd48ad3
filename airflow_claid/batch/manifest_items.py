"""Items of a manifest: the pictures that an earlier batch has made are what the next one works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_claid.batch.columns import Columns, Unusable
from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.batch.item_rows import ItemRow, filled_values
from airflow_claid.batch.manifest_file import ManifestFile
from airflow_claid.batch.opened_files import refusing
from airflow_claid.storage.addresses import without_connection

_DONE = "done"


class ManifestItems:
    """The items of a manifest, read as a stream, as often as is asked.

    Each usable picture is an item. A row without one is an item that is skipped, so that the next manifest tells of
    it as well. No field replaces a parameter, for the earlier batch had its own, except those that ``columns`` names.

    Like any file of rows, it is read once to its end before its first rows are handed out.

    :param address: of the manifest.
    :param kind: what the items are about.
    :param columns: which of a row's fields are read beside the picture; none of them is required.
    """

    def __init__(self, address: str, kind: ItemKind, columns: Columns) -> None:
        self._address = address
        self._kind = kind
        self._columns = columns
        self._file = ManifestFile(address, kind.parameter)
        self._manifest = without_connection(address)
        self._is_checked = False

    def count(self) -> int:
        """Read the manifest to its end, and return how many items it has.

        :raises ClaidValidationError: if the manifest as a whole cannot be used.
        """
        count = 0
        lacking = set(self._columns.wanted or ())
        names: list[str] = []
        for line, row in self._file.rows():
            count += sum(1 for _ in self._items(1, line, row))
            if lacking and row is not None:
                names = list(row)
                lacking -= self._columns.among(names).keys()
        with refusing(self._kind.parameter, self._address):
            if lacking and names:
                raise Unusable(self._columns.lacking(min(lacking), names))
        self._is_checked = True
        return count

    def rows(self, first: int) -> Iterator[ItemRow]:
        """Yield the items, counted from a number.

        :raises ClaidValidationError: as :meth:`count`.
        """
        if not self._is_checked:
            self.count()
        number = first
        for line, row in self._file.rows():
            for item in self._items(number, line, row):
                yield item
                number = item.number + 1

    def _items(self, first: int, line: int, row: Mapping[str, Any] | None) -> Iterator[ItemRow]:
        if row is None:
            yield ItemRow(first, problem=f"is broken in the manifest {self._manifest} (line {line})")
            return
        carried = {fact: row[fact] for fact in ("name", "prompt") if row.get(fact) is not None}
        carried["from"] = {"manifest": self._manifest, "row": row["row"]}
        if row["status"] != _DONE:
            if row.get("error") is not None:
                carried["error"] = row["error"]
            yield ItemRow(first, carried=carried, passed_over=_first_status(row))
            return
        said, problem = self._said(row)
        name = said.pop("name", None)
        own = {fact for fact, value in (("name", name), ("prompt", said.get("prompt"))) if value is not None}
        carried = {fact: value for fact, value in carried.items() if fact not in own}
        paths, checksums = _pictures(row)
        if not paths:
            problem = problem or f"is done in the manifest {self._manifest} (line {line}), but has no paths"
            yield ItemRow(first, said, name, problem, carried=carried)
        for number, (path, checksum) in enumerate(zip(paths, checksums, strict=True), start=first):
            values = {self._kind.subject: path, **said}
            yield ItemRow(number, values, name, problem, version=checksum, carried=carried)

    def _said(self, row: Mapping[str, Any]) -> tuple[dict[str, object], str | None]:
        """Return what a row says in the columns that were named, and what is wrong with that."""
        if not self._columns.wanted:
            return {}, None
        names = list(row)
        found = self._columns.among(names)
        return filled_values({ours: row[names[position]] for ours, position in found.items()}, self._kind)


def _first_status(row: Mapping[str, Any]) -> str:
    """Return why there is no picture; of a row that an earlier batch skipped itself, for the same reason."""
    return str(row.get("reason") or row["status"] if row["status"] == "skipped" else row["status"])


def _pictures(row: Mapping[str, Any]) -> tuple[list[str], list[str | None]]:
    """Return the paths of a row's pictures and their checksums; none of a row that somebody spoiled."""
    paths, checksums = row.get("paths"), row.get("checksums")
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        return [], []
    if not isinstance(checksums, list) or len(checksums) != len(paths):
        return paths, [None] * len(paths)
    return paths, [checksum if isinstance(checksum, str) else None for checksum in checksums]
