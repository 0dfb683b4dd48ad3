"""Rows of any catalogue, for tasks that make prompts of them: read as the batch operator reads its prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.catalogue_files import CatalogueFile
from airflow_claid.batch.columns import Columns, Record
from airflow_claid.client.values import plain


@dataclass(frozen=True)
class Row:
    """One row of a catalogue.

    :param number: counted from 1; a header and empty lines are not counted.
    :param values: by the file's own names of the columns; a column that the row lacks is not there.
    :param problem: why the row cannot be used, as a sentence's end; else ``None``. It then has no values.
    """

    number: int
    values: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None


def read_rows(address: str | ObjectStoragePath) -> Iterator[Row]:
    """Yield the rows of a catalogue, never holding more than a few of them.

    The file is read twice: once to its end, so that a damaged one is told before its first row. A row that cannot be
    used stops no other: it has a problem. A byte order mark, both dialects of CSV and long fields are understood.

    :param address: anywhere Airflow can read: ``.csv`` (commas), ``.tsv``, ``.jsonl`` (each also with ``.gz``), or
        ``.parquet`` (extra ``airflow-claid[parquet]``).
    :raises ClaidValidationError: when the first row is asked for, if the file as a whole cannot be used.
    """
    file = CatalogueFile(str(address), Columns(str(address)), "address")
    for number, record in enumerate(file.records(), start=1):
        yield _row(number, record)


def _row(number: int, record: Record) -> Row:
    if isinstance(record, str):
        return Row(number, problem=record)
    try:
        return Row(number, {name: plain(value) for name, value in record.items()})
    except ValueError:
        return Row(number, problem="has bytes that are not UTF-8")
