"""The items of a batch that are to be tried again, as a file that a batch takes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from airflow_claid.batch.manifest_chain import rows_of_manifest
from airflow_claid.batch.opened_files import JSON_LINES, kind_of_file
from airflow_claid.batch.rows import read_rows
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.object_storage import write_streamed_beside

IN_DOUBT = "in-doubt"
"""What stands for the rows that are not done and may have cost credits for a lost answer."""

_DONE = "done"
_COLUMNS = ("name", "prompt")
_COLUMNS_OF_PICTURES = ("name", "input")
_CSV = ".csv"

_Row = Mapping[str, Any]


def write_retry_list(manifest: str, target: str, statuses: Container[str], items: str | None = None) -> tuple[str, int]:
    """Write the rows of a batch that are to be tried again, and return the file's address and their number.

    :param manifest: address of the batch's manifest.
    :param target: of the file, ``.csv`` or ``.jsonl``. Where it cannot be overwritten, the next free name is taken.
    :param statuses: which rows are meant; :data:`IN_DOUBT` stands for those in doubt.
    :param items: address of the file that the batch has read, whose rows are copied as they are. Without it, the list
        has what the manifest knows: the name, and the prompt or the picture.
    :raises ClaidValidationError: if the manifest or the items cannot be used, or do not belong together.
    """
    kind = kind_of_file(target)
    if kind not in ((_CSV, False), *((suffix, False) for suffix in JSON_LINES)):
        raise ClaidValidationError(f"{target!r}: the list is a .csv or a .jsonl file")

    def wanted() -> Iterator[_Row]:
        return (row for row in rows_of_manifest(manifest) if _is_wanted(row, statuses))

    def known() -> Iterator[_Row]:
        return (_known(row, manifest) for row in wanted())

    prompts = {} if items is None else {row["row"]: _own_prompt(row) for row in wanted()}

    def copied() -> Iterator[_Row]:
        return _copied(str(items), prompts)

    rows: Callable[[], Iterator[_Row]] = known if items is None else copied
    names, count = _names_and_number(rows())
    if items is not None and count < len(prompts):
        raise ClaidValidationError(
            f"{items!r} has {count} of the {len(prompts)} rows to be tried again: it is not the file that the batch "
            "has read"
        )
    lines = (lambda: _as_csv(rows(), names)) if kind[0] == _CSV else (lambda: _as_json(rows()))
    return write_streamed_beside(target, lines), count


def _is_wanted(row: _Row, statuses: Container[str]) -> bool:
    in_doubt = row["status"] != _DONE and bool(row.get("credits_in_doubt"))
    return row["status"] in statuses or (in_doubt and IN_DOUBT in statuses)


def _known(row: _Row, manifest: str) -> dict[str, Any]:
    """Return what a manifest knows of an item."""
    if row.get("fallback"):
        raise ClaidValidationError(
            f"Row {row['row']} of {manifest!r} tells the fallback prompt that was used last: give the file that the "
            "batch has read as well (--items)"
        )
    columns = _COLUMNS_OF_PICTURES if row.get("input") is not None else _COLUMNS
    return {column: row[column] for column in columns if row.get(column) is not None}


def _own_prompt(row: _Row) -> str | None:
    """Return the prompt that the item itself has; ``None`` where the manifest tells another, or none."""
    others = ("fallback", "from", "input")
    return None if any(row.get(other) is not None for other in others) else row.get("prompt")


def _copied(items: str, wanted: Mapping[int, str | None]) -> Iterator[_Row]:
    """Yield the rows of the file that a batch has read.

    :param wanted: the prompt of each that is wanted, as the manifest tells it.
    """
    for row in read_rows(items):
        if row.number not in wanted or row.problem is not None:
            continue
        said, told = row.values.get("prompt"), wanted[row.number]
        if told is not None and isinstance(said, str) and said.strip() != told.strip():
            raise ClaidValidationError(
                f"Row {row.number} of {items!r} has another prompt than the manifest tells: it is not the file that "
                "the batch has read"
            )
        yield row.values


def _names_and_number(rows: Iterable[_Row]) -> tuple[list[str], int]:
    names, count = dict[str, None](), 0
    for row in rows:
        names.update(dict.fromkeys(row))
        count += 1
    return list(names), count


def _as_json(rows: Iterable[_Row]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, default=str).encode(errors="backslashreplace") + b"\n"


def _as_csv(rows: Iterable[_Row], names: list[str]) -> Iterator[bytes]:
    for cells in (names, *([_cell(row.get(name)) for name in names] for row in rows)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        yield text.getvalue().encode(errors="backslashreplace")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
