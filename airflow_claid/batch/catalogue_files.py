"""Files of rows, anywhere Airflow can read: CSV, TSV, JSON lines and Parquet, each also packed by gzip."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TextIO

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.columns import Columns, Record, Unusable
from airflow_claid.batch.opened_files import (
    DELIMITERS,
    JSON_LINES,
    PARQUET,
    existing,
    kind_of_file,
    opened_text,
    opened_to_seek,
    refusing,
)
from airflow_claid.batch.separated import Fit, fits_better_escaped, separated
from airflow_claid.client.text import shortened

_PARQUET_ROWS = 500
_PARQUET_BUFFER = 1 << 16

_Read = Callable[[], Iterator[Record]]
_Open = Callable[[], AbstractContextManager[TextIO]]


class CatalogueFile:
    """A file of rows, read as a stream, as often as is asked.

    Before its first rows are handed out it is read once to its end, so that a damaged file stops a batch before
    anything is paid, and so that it shows in which dialect it is written.

    :param address: of a ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.parquet`` file, any of them also with
        ``.gz``.
    :param columns: which columns are wanted.
    :param parameter: the parameter that the address came from, for errors.
    """

    def __init__(self, address: str, columns: Columns, parameter: str = "prompts") -> None:
        self.address = address
        self._parameter = parameter
        self._columns = columns
        self._read: _Read | None = None

    def records(self) -> Iterator[Record]:
        """Yield the record of each row.

        :raises ClaidValidationError: if the file as a whole cannot be used.
        """
        read = self._read or self._checked()[0]
        with refusing(self._parameter, self.address):
            yield from read()

    def count(self) -> int:
        """Read the file to its end, and return how many rows it has.

        :raises ClaidValidationError: as :meth:`records`.
        """
        self._read, count = self._checked()
        return count

    def _checked(self) -> tuple[_Read, int]:
        """Read the file to its end; return what reads it again, and how many rows it has."""
        path = existing(self.address, self._parameter)
        kind, packed = kind_of_file(self.address)
        with refusing(self._parameter, self.address):
            if kind in DELIMITERS:
                return self._in_its_dialect(partial(opened_text, path, packed), DELIMITERS[kind])
            read: _Read
            if kind == PARQUET:
                read = partial(_parquet, path, packed, self._columns)
            elif kind in JSON_LINES:
                read = partial(_json_lines, partial(opened_text, path, packed), self._columns)
            else:
                raise Unusable("is of a kind that is not read: use .csv, .tsv, .jsonl or .parquet, or these with .gz")
            return read, sum(1 for _ in read())

    def _in_its_dialect(self, opened: _Open, delimiter: str) -> tuple[_Read, int]:
        """Return what reads the file in the dialect that its rows show, and how many rows it has."""

        def read(fit: Fit | None = None, *, escaped: bool = False) -> Iterator[Record]:
            with opened() as text:
                yield from separated(text, self._columns, delimiter=delimiter, escaped=escaped, fit=fit)

        plain, escaped = Fit(), Fit()
        try:
            count, problem = sum(1 for _ in read(plain)), None
        except Unusable as error:
            count, problem = 0, error
        if plain.has_escapes and (problem or plain.misfits):
            try:
                count_escaped = sum(1 for _ in read(escaped, escaped=True))
            except Unusable:
                escaped = replace(plain)
            else:
                if problem or fits_better_escaped(plain, escaped):
                    return partial(read, escaped=True), count_escaped
        if problem:
            raise problem
        return read, count


def record_of(item: object, columns: Columns) -> Record:
    """Return what an item of a list, or a line of JSON, says."""
    if isinstance(item, str) and columns.required:
        return {columns.required: item}
    if item is None:
        return f"has no {columns.required or 'values'}"
    if isinstance(item, (tuple, list)) and columns.are_positions:
        return columns.by_position(item)
    if not isinstance(item, Mapping):
        wanted = f"neither a text nor an object with a {columns.required!r}" if columns.required else "not an object"
        return f"is {shortened(item)}, {wanted}"
    try:
        found = columns.among([str(name) for name in item])
    except Unusable as error:
        return str(error)
    values = list(item.values())
    return {ours: values[position] for ours, position in found.items()}


def _json_lines(opened: _Open, columns: Columns) -> Iterator[Record]:
    lacking: str | None = None
    usable = columns.required is None or columns.are_positions
    with opened() as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            if line.lstrip().startswith("[") and lacking is None and not usable:
                raise Unusable("holds a JSON array: write one object, or one text, on each line")
            try:
                item = json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                yield f"is no JSON (line {number}: {error})"
                continue
            record = record_of(item, columns)
            if isinstance(record, dict) and columns.required:
                usable = usable or columns.required in record
                lacking = lacking or columns.lacking(columns.required, list(item))
            yield record
    if lacking and not usable:
        raise Unusable(lacking)


def _no_number(constant: str) -> object:
    raise ValueError(f"{constant} is no number in JSON")


def _parquet(path: ObjectStoragePath, packed: bool, columns: Columns) -> Iterator[Record]:
    try:
        from pyarrow import ArrowException  # type: ignore[import-untyped]
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]
    except ImportError:
        raise Unusable('needs pyarrow to be read: pip install "airflow-claid[parquet]"') from None
    with opened_to_seek(path, packed) as file:
        try:
            with ParquetFile(file, buffer_size=_PARQUET_BUFFER) as parquet:
                names = parquet.schema_arrow.names
                found = {ours: names[position] for ours, position in columns.in_header(names).items()}
                for batch in parquet.iter_batches(_PARQUET_ROWS, columns=sorted(set(found.values()))):
                    for values in batch.to_pylist():
                        yield {ours: values[theirs] for ours, theirs in found.items()}
        except ArrowException as error:
            raise Unusable(f"is not a complete Parquet file ({error}): write it again") from None
