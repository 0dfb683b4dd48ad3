"""Items of a batch as a stream: from lists, files, folders and manifests, however long they are.

An item that cannot be used stops no other: it has a problem.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.catalogue_files import record_of
from airflow_claid.batch.columns import Columns, Record
from airflow_claid.batch.item_kind import PROMPTS, ItemKind
from airflow_claid.batch.item_parameters import checked_columns, checked_filters, checked_shard
from airflow_claid.batch.item_rows import ItemRow, row_of
from airflow_claid.batch.lists import is_address, items_of
from airflow_claid.batch.opened_files import text_problem
from airflow_claid.batch.sources import Reading, Source, is_listed, is_source, source_of
from airflow_claid.batch.spread import evenly_spread
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.storage.addresses import is_connected, is_link, without_connection
from airflow_claid.storage.places import has_picture_suffix
from airflow_claid.storage.signed_links import unsigned

__all__ = ["PROMPTS", "ItemKind", "ItemRow", "Items"]

_CONFLICT = "has the name {!r} of row {} but is another request: give each row a name of its own"


class Items:
    """The items of a batch, read as often as is asked; of files and folders, never more than a few at once.

    Items of prompts come from lists and files of rows. Items of pictures also come from manifests, of which each usable
    picture is one, from folders, and from globs.

    :param given: a list (an XCom, mapped results) whose items are texts or dicts with the columns; or an address, or a
        list of such, which are read one after the other: of a file of rows, ``.csv`` (commas), ``.tsv``, ``.jsonl`` or
        ``.ndjson`` (an object or a text on each line) or ``.parquet`` (extra ``airflow-claid[parquet]``), any of them
        also with ``.gz``; of a glob that ends with such a suffix; where the items are pictures, of the manifest of an
        earlier batch, of a folder (it ends with ``/``), of any other glob, or of one picture. The subject of a dict is
        always one.
    :param kind: what the items are about, and which columns a row has.
    :param columns: what the file calls our columns, where it is not the same name: ``{"prompt": "Caption"}``. Upper
        and lower case do not matter. A number is a position, from 0, also in rows without names; ``None`` leaves a
        column out. Other columns are ignored. Of a manifest, only columns that are named here are read; naming the
        subject's makes an ordinary file of it.
    :param shard: ``(k, n)`` gives the items k+1, k+1+n, k+1+2n, …: for k = 0 to n-1 each once. All by default.
    :param recursive: whether the folders in a folder count as well.
    :param suffixes: which files of a folder or glob count, such as ``(".png",)``; default: pictures that Claid reads.
    :param modified_since: leaves out files of a folder or glob that were written before: a datetime, or a text in ISO
        format, with a timezone.
    :param without: addresses of folders that are no items, such as the batch's output.
    :param readable: returns the address by which Airflow reads what is at a ``storage://`` address.
    :raises ClaidValidationError: if a parameter is wrong. What is wrong with what an address stands for is told when
        it is read.
    """

    def __init__(
        self,
        given: object,
        kind: ItemKind = PROMPTS,
        *,
        columns: Mapping[str, str | int | None] | None = None,
        shard: tuple[int, int] | None = None,
        recursive: bool = True,
        suffixes: Sequence[str] | None = None,
        modified_since: datetime | str | None = None,
        without: Sequence[str] = (),
        readable: Callable[[str], str] | None = None,
    ) -> None:
        self._kind = kind
        self._mine, self._shards = checked_shard(shard)
        filters = checked_filters(recursive, suffixes, modified_since, without)
        self._reading = Reading(kind, checked_columns(columns, kind), filters, readable or _as_it_is)
        self._sources: dict[str, Source | None] = {}
        self._chosen: Container[int] | None = None
        self._count: int | None = None
        self.items: Iterable[object] = ()
        """The items of a list; none where one address is given."""
        if isinstance(given, (str, ObjectStoragePath)):
            self._given: str | None = _address_of(given, kind)
        elif isinstance(given, Iterable) and not isinstance(given, (Mapping, bytes)):
            self._given = None
            items = items_of(given, positions=self._reading.columns(kind.parameter).are_positions, kind=kind)
            self.items = list(items) if isinstance(given, Sequence) else items
        else:
            raise ClaidValidationError(
                f"{kind.parameter}={shortened(given)} is neither a list nor an address; of a data frame give "
                "frame.to_dict('records')"
            )
        self._check_filters()

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """What is read: the addresses of files, folders and globs, not those of single pictures."""
        if self._given is not None:
            return (self._given,) if is_source(self._given, self._kind) else ()
        if not isinstance(self.items, list):
            return ()
        if self._kind.pictures:
            texts = (str(item) for item in self.items if is_address(item))
            return tuple(text for text in texts if is_source(text, self._kind))
        return tuple(map(str, self.items)) if all(map(is_address, self.items)) else ()

    @property
    def identity(self) -> object:
        """What was given, as JSON has it: the same in each attempt and run, whatever is there by then."""
        if self._given is not None:
            given = self._plain(self._given)
        elif self._kind.pictures:
            given = _digest([self._plain_item(item) for item in self.items])
        elif len(self.addresses) == 1:
            given = without_connection(self.addresses[0])
        else:
            given = _digest([without_connection(address) for address in self.addresses] or list(self.items))
        filters = self._reading.filters
        told: dict[str, object] = {} if filters.recursive else {"recursive": False}
        if filters.suffixes is not None:
            told["suffixes"] = list(filters.suffixes)
        if self._chosen is not None:
            told["preview"] = self._count
        return {"given": given, **told} if told else given

    def content(self) -> str | None:
        """Return what tells one content of the files and folders from another; ``None`` where there are none."""
        contents = [source.content() for source in self._all_sources]
        return contents[0] if len(contents) == 1 else "|".join(map(str, contents)) or None

    def has(self, uri: str) -> bool | None:
        """Tell whether a picture is in the folders, whatever else is asked of its name and its time.

        :returns: ``None`` where that is not known: it does not lie in a folder that is read.
        """
        answers = [source.has(uri) for source in self._all_sources]
        return None if all(answer is None for answer in answers) else any(answers)

    def count(self) -> int:
        """Read all to the end, and return how many items there are.

        :raises ClaidValidationError: if a file or a folder as a whole cannot be used.
        """
        if self._chosen is not None and self._count is not None:
            return self._count
        count = sum(1 if source is None else source.count() for source, _ in self._parts())
        self._count = len(range(self._mine, count, self._shards))
        return self._count

    def __iter__(self) -> Iterator[ItemRow]:
        """Yield the items.

        :raises ClaidValidationError: if a file or a folder as a whole cannot be used; each is seen through before its
            first item.
        """
        rows = self._all_rows() if self._shards == 1 else self._of_shard(self._all_rows())
        if self._chosen is None:
            return rows
        chosen = self._chosen
        return (row for position, row in enumerate(rows) if position in chosen)

    def preview(self, number: int) -> Items:
        """Return a view of some of the items, spread evenly over all, the first and the last among them.

        :param number: how many, at most.
        """
        total = self.count() if self._count is None else self._count
        return copy.copy(self)._reduced(evenly_spread(total, number))  # noqa: SLF001 - a copy of this very object

    def _reduced(self, chosen: set[int]) -> Items:
        self._chosen, self._count = chosen, len(chosen)
        return self

    def close(self) -> None:
        """Remove temporary files; after that nothing may be asked."""
        for source in self._sources.values():
            if source is not None:
                source.close()

    def _of_shard(self, all_rows: Iterator[ItemRow]) -> Iterator[ItemRow]:
        """Yield the rows of the shard; one has a problem if an earlier row, of whichever shard, has its name."""
        first: dict[int, tuple[int, int]] = {}
        for row in all_rows:
            if row.name is None or row.problem:
                conflict = None
            else:
                asked = hash(tuple(sorted((column, str(value)) for column, value in row.values.items())))
                number, before = first.setdefault(hash(str(row.name).strip()), (row.number, asked))
                conflict = number if before != asked else None
            if (row.number - 1) % self._shards == self._mine:
                yield row if conflict is None else replace(row, problem=_CONFLICT.format(row.name, conflict))

    def _all_rows(self) -> Iterator[ItemRow]:
        number = 1
        columns = self._reading.columns(self._kind.parameter)
        for source, item in self._parts():
            rows = source.rows(number) if source else (row_of(number, self._record(item, columns), self._kind),)
            for row in rows:
                yield row
                number = row.number + 1

    def _record(self, item: object, columns: Columns) -> Record:
        """Return what an item of a list says."""
        if is_address(item) and not self._kind.pictures and not re.search(r"\s", str(item)):
            return f"is {shortened(item)}, an address among {self._kind.parameter}: give a list of addresses only"
        return record_of(str(item) if isinstance(item, ObjectStoragePath) else item, columns)

    def _parts(self) -> Iterator[tuple[Source | None, object]]:
        """Yield what was given, one after the other, each with what it stands for; ``None`` for an item."""
        if self._given is not None:
            if problem := text_problem(self._given, self._kind.parameter):
                raise ClaidValidationError(f"{self._kind.parameter}={shortened(self._given)} {problem}")
            yield self._source_of(self._given), self._given
        elif not self._kind.pictures:
            are_addresses = bool(self.addresses)
            for item in self.items:
                yield (self._source_of(str(item)) if are_addresses else None), item
        else:
            for item in self.items:
                yield (self._source_of(str(item)) if is_address(item) else None), item

    def _source_of(self, address: str) -> Source | None:
        if not is_source(address, self._kind):
            return None
        if address not in self._sources:
            self._sources[address] = source_of(address, self._reading)
        return self._sources[address]

    @cached_property
    def _all_sources(self) -> list[Source]:
        sources = (self._source_of(address) for address in self.addresses)
        return [source for source in sources if source is not None]

    def _plain(self, address: str) -> str:
        """Return an address as it tells what it stands for, whoever opens it and whenever a link was signed."""
        if is_link(address):
            return unsigned(address) if self._kind.pictures else address
        if is_connected(address) and is_source(address, self._kind):
            address = self._reading.readable(address)
        return without_connection(address)

    def _plain_item(self, item: Any) -> object:
        if isinstance(item, Mapping):
            return {column: self._plain_item(value) for column, value in item.items()}
        if isinstance(item, (list, tuple)):
            return [self._plain_item(one) for one in item]
        is_plain = not is_address(item) and not (isinstance(item, str) and is_link(item))
        return item if is_plain else self._plain(str(item))

    def _check_filters(self) -> None:
        """Refuse what says which files count, where no files are listed."""
        filters, parameter = self._reading.filters, self._kind.parameter
        asked = [
            *(["recursive=False"] if not filters.recursive else []),
            *([f"suffixes={filters.suffixes!r}"] if filters.suffixes is not None else []),
            *([f"modified_since={str(filters.modified_since)!r}"] if filters.modified_since else []),
        ]
        items = self.items if self._given is None else [self._given]
        if not asked or not isinstance(items, list) or not items:
            return
        if not any(is_address(item) and is_listed(str(item)) for item in items):
            raise ClaidValidationError(
                f"{asked[0]} says which files of a folder or a glob count, and {parameter}="
                f"{shortened(self._given or items)} names none: leave it out, or end a folder's address with '/'"
            )


def _address_of(given: str | ObjectStoragePath, kind: ItemKind) -> str:
    """Return what was given as a text; an ``ObjectStoragePath`` of a folder has lost the ``/`` at its end."""
    address = str(given)
    is_clear = is_source(address, kind) or has_picture_suffix(address)
    return f"{address}/" if isinstance(given, ObjectStoragePath) and not is_clear and given.is_dir() else address


def _as_it_is(address: str) -> str:
    return address


def _digest(items: list[object]) -> str:
    return hashlib.sha256(json.dumps(items, default=str, skipkeys=True).encode()).hexdigest()
