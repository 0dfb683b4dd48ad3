"""Prompts as a stream: from a list, or from files anywhere Airflow can read, however long they are.

A row that cannot be used stops no other: it has a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.catalogue_files import CatalogueFile, record_of
from airflow_claid.batch.columns import Columns, Record
from airflow_claid.batch.lists import addresses_in, items_of
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.client.values import plain

COLUMNS = ("prompt", "name", "number_of_images", "guidance_scale")
"""What a row may say; only ``prompt`` must be there."""

_CONFLICT = "has the name {!r} of row {} but is another request: give each row a name of its own"
_NUMBERS = ("number_of_images", "guidance_scale")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(e[+-]?[0-9]{1,3})?", re.IGNORECASE)


@dataclass(frozen=True)
class PromptRow:
    """One row, as it was found: nothing in it is checked yet, and what was empty is ``None``.

    :param number: counted from 1; a header and empty lines are not counted.
    :param problem: why the row cannot be used, as a sentence's end (``"has no prompt"``); else ``None``.
    """

    number: int
    prompt: object = None
    name: object = None
    number_of_images: object = None
    guidance_scale: object = None
    problem: str | None = None


class Prompts:
    """The rows of a list or of files, read as often as is asked; of files, never more than a few at once.

    :param prompts: a list (an XCom, mapped results) whose items are texts or dicts with the columns; or the address
        of a file, or a list of such, which are read one after the other: ``.csv`` (commas), ``.tsv``, ``.jsonl`` or
        ``.ndjson`` (an object or a text on each line), any of them also with ``.gz``, or ``.parquet`` (extra
        ``airflow-claid[parquet]``).
    :param columns: what the file calls our columns, where it is not the same name: ``{"prompt": "Caption"}``. Upper
        and lower case do not matter. A number is a position, from 0, also in rows without names; ``None`` leaves a
        column out. Other columns are ignored.
    :param shard: ``(k, n)`` gives the rows k+1, k+1+n, k+1+2n, …: for k = 0 to n-1 each row once. All by default.
    :raises ClaidValidationError: if a parameter is wrong. What is wrong with a file is told when it is read.
    """

    def __init__(
        self,
        prompts: object,
        *,
        columns: Mapping[str, str | int | None] | None = None,
        shard: tuple[int, int] | None = None,
    ) -> None:
        self._mine, self._shards = _checked_shard(shard)
        self._renamed = _checked_columns(columns)
        self.items: Iterable[object] = ()
        """The items of a list; none where files are read."""
        self.addresses: tuple[str, ...] = ()
        """The addresses of the files; none where a list is read."""
        if isinstance(prompts, (str, ObjectStoragePath)):
            self.addresses = (str(prompts),)
        elif isinstance(prompts, Iterable) and not isinstance(prompts, (Mapping, bytes)):
            items = items_of(prompts, positions=self._columns("prompts").are_positions)
            self.items = list(items) if isinstance(prompts, Sequence) else items
            self.addresses = addresses_in(self.items) if isinstance(self.items, list) else ()
        else:
            raise ClaidValidationError(
                f"prompts={shortened(prompts)} is neither a list nor the address of a file; of a data frame give "
                "frame.to_dict('records')"
            )
        self._files = [CatalogueFile(address, self._columns(address)) for address in self.addresses]

    def count(self) -> int:
        """Read all to the end, and return how many rows there are.

        :raises ClaidValidationError: if a file as a whole cannot be used.
        """
        count = sum(file.count() for file in self._files) if self._files else len(list(self.items))
        return len(range(self._mine, count, self._shards))

    def __iter__(self) -> Iterator[PromptRow]:
        """Yield the rows.

        :raises ClaidValidationError: if a file as a whole cannot be used; each is seen through before its first row.
        """
        numbered = enumerate(self._records(), start=1)
        if self._shards == 1:
            return (_row(number, record) for number, record in numbered)
        return self._of_shard(_row(number, record) for number, record in numbered)

    def _of_shard(self, all_rows: Iterator[PromptRow]) -> Iterator[PromptRow]:
        """Yield the rows of the shard; one has a problem if an earlier row, of whichever shard, has its name."""
        first: dict[int, tuple[int, int]] = {}
        for row in all_rows:
            if row.name is None or row.problem:
                conflict = None
            else:
                asked = hash((str(row.prompt), str(row.number_of_images), str(row.guidance_scale)))
                number, before = first.setdefault(hash(str(row.name).strip()), (row.number, asked))
                conflict = number if before != asked else None
            if (row.number - 1) % self._shards == self._mine:
                yield row if conflict is None else replace(row, problem=_CONFLICT.format(row.name, conflict))

    def _records(self) -> Iterator[Record]:
        for file in self._files:
            yield from file.records()
        if not self._files:
            columns = self._columns("prompts")
            yield from (record_of(item, columns) for item in self.items)

    def _columns(self, where: str) -> Columns:
        return Columns(where, COLUMNS, "prompt", self._renamed)


def rows(
    prompts: object,
    *,
    columns: Mapping[str, str | int | None] | None = None,
    shard: tuple[int, int] | None = None,
) -> Iterator[PromptRow]:
    """Yield prompts row by row; takes what :class:`Prompts` does.

    :raises ClaidValidationError: when the first row is asked for, if a parameter or the file as a whole is wrong.
    """
    yield from Prompts(prompts, columns=columns, shard=shard)


def _row(number: int, record: Record) -> PromptRow:
    if isinstance(record, str):
        return PromptRow(number, problem=record)
    values: dict[str, Any] = {}
    problem = None
    for name, value in record.items():
        try:
            values[name] = _filled(value)
        except ValueError:
            problem = problem or f"has a {name} in bytes that are not UTF-8"
        else:
            if name in _NUMBERS:
                values[name] = _number(values[name])
    if values.get("prompt") is None:
        problem = problem or "has no prompt"
    return PromptRow(number, **values, problem=problem)


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


def _checked_columns(columns: object) -> dict[str, str | int | None]:
    if columns is None:
        return {}
    if isinstance(columns, Mapping) and all(
        ours in COLUMNS and (_names_a_column(theirs) or (theirs is None and ours != "prompt"))
        for ours, theirs in columns.items()
    ):
        return dict(columns)
    raise ClaidValidationError(
        f"columns={columns!r} must map some of {', '.join(COLUMNS)} to the file's own names, such as "
        "{'prompt': 'Caption'}, or to positions from 0; None leaves a column out, but not the prompt"
    )


def _names_a_column(theirs: object) -> bool:
    return (type(theirs) is int and theirs >= 0) or (isinstance(theirs, str) and bool(theirs.strip()))
