"""Items of a batch as a stream: from a list, or from files anywhere Airflow can read, however long they are.

A row that cannot be used stops no other: it has a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.catalogue_files import CatalogueFile, record_of
from airflow_claid.batch.columns import Columns, Record
from airflow_claid.batch.lists import addresses_in, items_of
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.client.values import plain
from airflow_claid.storage.stored_files import StoredFile

_CONFLICT = "has the name {!r} of row {} but is another request: give each row a name of its own"
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(e[+-]?[0-9]{1,3})?", re.IGNORECASE)


@dataclass(frozen=True)
class ItemKind:
    """What the rows of a batch are about.

    :param parameter: the operator's parameter that gives the items, for errors: ``"prompts"``.
    :param subject: the column that each row must have, and that a row of text alone is: ``"prompt"``.
    :param overrides: the columns that replace a parameter of the operator for their row.
    :param numbers: those of them that are numbers, also where a file writes them as text.
    """

    parameter: str
    subject: str
    overrides: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (self.subject, "name", *self.overrides)


PROMPTS = ItemKind(
    "prompts",
    "prompt",
    ("number_of_images", "guidance_scale"),
    frozenset({"number_of_images", "guidance_scale"}),
)
"""The rows of a generation."""


@dataclass(frozen=True)
class ItemRow:
    """One row, as it was found: nothing in it is checked yet.

    :param number: counted from 1; a header and empty lines are not counted.
    :param values: by our names of the columns, the subject's among them; what was empty is left out.
    :param name: what the user calls the item; ``None`` where he does not.
    :param problem: why the row cannot be used, as a sentence's end (``"has no prompt"``); else ``None``.
    :param file: the picture that it is about, as a folder listed it; ``None`` where nothing was listed.
    :param version: the checksum that a manifest told of that picture.
    :param carried: facts of a manifest's row that the next manifest has too: ``name``, ``prompt`` and ``from``.
    :param passed_over: why there is nothing to do, as the status that a manifest told (``"blocked"``); else ``None``.
    """

    number: int
    values: Mapping[str, object] = field(default_factory=dict)
    name: object = None
    problem: str | None = None
    file: StoredFile | None = None
    version: str | None = None
    carried: Mapping[str, Any] = field(default_factory=dict)
    passed_over: str | None = None


class Items:
    """The rows of a list or of files, read as often as is asked; of files, never more than a few at once.

    :param given: a list (an XCom, mapped results) whose items are texts or dicts with the columns; or the address
        of a file, or a list of such, which are read one after the other: ``.csv`` (commas), ``.tsv``, ``.jsonl`` or
        ``.ndjson`` (an object or a text on each line), any of them also with ``.gz``, or ``.parquet`` (extra
        ``airflow-claid[parquet]``).
    :param kind: which columns a row has.
    :param columns: what the file calls our columns, where it is not the same name: ``{"prompt": "Caption"}``. Upper
        and lower case do not matter. A number is a position, from 0, also in rows without names; ``None`` leaves a
        column out. Other columns are ignored.
    :param shard: ``(k, n)`` gives the rows k+1, k+1+n, k+1+2n, …: for k = 0 to n-1 each row once. All by default.
    :raises ClaidValidationError: if a parameter is wrong. What is wrong with a file is told when it is read.
    """

    def __init__(
        self,
        given: object,
        kind: ItemKind = PROMPTS,
        *,
        columns: Mapping[str, str | int | None] | None = None,
        shard: tuple[int, int] | None = None,
    ) -> None:
        self._kind = kind
        self._mine, self._shards = _checked_shard(shard)
        self._renamed = _checked_columns(columns, kind)
        self.items: Iterable[object] = ()
        """The items of a list; none where files are read."""
        self.addresses: tuple[str, ...] = ()
        """The addresses of the files; none where a list is read."""
        parameter = kind.parameter
        if isinstance(given, (str, ObjectStoragePath)):
            self.addresses = (str(given),)
        elif isinstance(given, Iterable) and not isinstance(given, (Mapping, bytes)):
            items = items_of(given, positions=self._columns(parameter).are_positions)
            self.items = list(items) if isinstance(given, Sequence) else items
            self.addresses = addresses_in(self.items) if isinstance(self.items, list) else ()
        else:
            raise ClaidValidationError(
                f"{parameter}={shortened(given)} is neither a list nor the address of a file; of a data frame give "
                "frame.to_dict('records')"
            )
        self._files = [CatalogueFile(address, self._columns(address), parameter) for address in self.addresses]

    def count(self) -> int:
        """Read all to the end, and return how many rows there are.

        :raises ClaidValidationError: if a file as a whole cannot be used.
        """
        count = sum(file.count() for file in self._files) if self._files else len(list(self.items))
        return len(range(self._mine, count, self._shards))

    def __iter__(self) -> Iterator[ItemRow]:
        """Yield the rows.

        :raises ClaidValidationError: if a file as a whole cannot be used; each is seen through before its first row.
        """
        numbered = enumerate(self._records(), start=1)
        if self._shards == 1:
            return (_row(number, record, self._kind) for number, record in numbered)
        return self._of_shard(_row(number, record, self._kind) for number, record in numbered)

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

    def _records(self) -> Iterator[Record]:
        for file in self._files:
            yield from file.records()
        if not self._files:
            columns = self._columns(self._kind.parameter)
            yield from (record_of(item, columns) for item in self.items)

    def _columns(self, where: str) -> Columns:
        return Columns(where, self._kind.columns, self._kind.subject, self._renamed)


def _row(number: int, record: Record, kind: ItemKind) -> ItemRow:
    if isinstance(record, str):
        return ItemRow(number, problem=record)
    values: dict[str, object] = {}
    problem = None
    for column, value in record.items():
        try:
            filled = _filled(value)
        except ValueError:
            problem = problem or f"has a {column} in bytes that are not UTF-8"
            continue
        if filled is not None:
            values[column] = _number(filled) if column in kind.numbers else filled
    if kind.subject not in values:
        problem = problem or f"has no {kind.subject}"
    name = values.pop("name", None)
    return ItemRow(number, values, name, problem)


def _filled(value: object) -> object:
    """Return a value as Python has it; ``None`` for what is empty."""
    value = plain(value)
    return None if isinstance(value, str) and not value.strip() else value


def _number(value: object) -> object:
    """Return the number that a text shows; other text stays, for the check that refuses it by name."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else value


def _checked_shard(shard: object) -> tuple[int, int]:
    if shard is None:
        return 0, 1
    if isinstance(shard, (tuple, list)) and len(shard) == 2 and all(type(part) is int for part in shard):
        mine, all_shards = shard
        if 0 <= mine < all_shards:
            return mine, all_shards
    raise ClaidValidationError(
        f"shard={shard!r} must be two whole numbers (k, n) with k from 0 to n-1, such as (0, 4) for the first of four"
    )


def _checked_columns(columns: object, kind: ItemKind) -> dict[str, str | int | None]:
    if columns is None:
        return {}
    if isinstance(columns, Mapping) and all(
        ours in kind.columns and (_names_a_column(theirs) or (theirs is None and ours != kind.subject))
        for ours, theirs in columns.items()
    ):
        return dict(columns)
    raise ClaidValidationError(
        f"columns={columns!r} must map some of {', '.join(kind.columns)} to the file's own names, such as "
        f"{{{kind.subject!r}: 'Caption'}}, or to positions from 0; None leaves a column out, but not the {kind.subject}"
    )


def _names_a_column(theirs: object) -> bool:
    return (type(theirs) is int and theirs >= 0) or (isinstance(theirs, str) and bool(theirs.strip()))
