"""Prompts as a stream: from a list, or from a file anywhere Airflow can read, however long it is.

A file is read twice: once to its end, by :func:`count_rows` or before the first row, so that a damaged file stops a
batch before anything is paid, and once for the rows. A row that cannot be used stops no other: it has a problem.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TextIO

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.columns import COLUMNS, Columns, Unusable
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.storage.addresses import quoted_path_problem, relative_path_problem
from airflow_claid.storage.object_storage import located

log = logging.getLogger(__name__)

_NUMBERS = ("number_of_images", "guidance_scale")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_PARQUET_ROWS = 500
_PARQUET_BUFFER = 1 << 16
_BLOCK = 4 << 20
"""Bytes that are fetched from a bucket at once."""

_Record = dict[str, object] | str
"""What a row says, by our names of the columns; or, as a text, why it says nothing."""


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


def count_rows(
    prompts: object, *, columns: Mapping[str, str] | None = None, shard: tuple[int, int] | None = None
) -> int:
    """Read prompts to their end and return how many rows there are.

    Takes and raises what :func:`rows` does.
    """
    return sum(1 for _ in rows(prompts, columns=columns, shard=shard, whole=True))


def rows(
    prompts: object,
    *,
    columns: Mapping[str, str] | None = None,
    shard: tuple[int, int] | None = None,
    whole: bool = False,
) -> Iterator[PromptRow]:
    """Yield prompts row by row, never holding more than a few of them.

    :param prompts: a list (an XCom, mapped results) whose items are texts or dicts with the columns; or the address
        of a file: ``.csv`` (commas), ``.tsv``, ``.jsonl`` or ``.ndjson`` (an object or a text on each line), any of
        them also with ``.gz``, or ``.parquet`` (extra ``airflow-claid[parquet]``).
    :param columns: what the file calls our columns, where it is not the same name: ``{"prompt": "Caption"}``. Upper
        and lower case do not matter. Other columns are ignored.
    :param shard: ``(k, n)`` gives the rows k+1, k+1+n, k+1+2n, …: for k = 0 to n-1 each row once. All by default.
    :param whole: whether a file is known to be whole, because it was counted, so that it need not be read first.
    :raises ClaidValidationError: when the first row is asked for, if a parameter or the file as a whole is wrong.
    """
    mine, all_shards = _checked_shard(shard)
    names = _checked_columns(columns)
    if isinstance(prompts, ObjectStoragePath):
        prompts = str(prompts)
    if isinstance(prompts, str):
        records = _of_file(prompts, names, whole=whole)
    elif isinstance(prompts, Iterable) and not isinstance(prompts, (Mapping, bytes)):
        records = _of_items(prompts, names)
    else:
        raise ClaidValidationError(f"prompts={shortened(prompts)} is neither a list nor the address of a file")
    for number, record in enumerate(records, start=1):
        if (number - 1) % all_shards == mine:
            yield _row(number, record)


def _row(number: int, record: _Record) -> PromptRow:
    if isinstance(record, str):
        return PromptRow(number, problem=record)
    values = {name: _filled(value) for name, value in record.items()}
    problem = "has no prompt" if values.get("prompt") is None else None
    return PromptRow(number, **values, problem=problem)


def _filled(value: object) -> object:
    """Return ``None`` for what is empty, and a number for a database's decimal."""
    if isinstance(value, Decimal):
        value = float(value)
    empty = (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and math.isnan(value))
    return None if empty else value


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


def _checked_columns(columns: object) -> dict[str, str]:
    if columns is None:
        return {}
    if isinstance(columns, Mapping) and all(
        ours in COLUMNS and isinstance(theirs, str) and theirs.strip() for ours, theirs in columns.items()
    ):
        return dict(columns)
    raise ClaidValidationError(
        f"columns={columns!r} must map some of {', '.join(COLUMNS)} to the file's own names, such as "
        "{'prompt': 'Caption'}"
    )


def _of_items(items: Iterable[object], renamed: Mapping[str, str]) -> Iterator[_Record]:
    columns = Columns("prompts", renamed)
    return (_of_item(item, columns) for item in items)


def _of_item(item: object, columns: Columns) -> _Record:
    if isinstance(item, str):
        return {"prompt": item}
    if item is None:
        return "has no prompt"
    if not isinstance(item, Mapping):
        return f"is {shortened(item)}, neither a text nor an object with a 'prompt'"
    try:
        found = columns.among([str(name) for name in item])
    except Unusable as error:
        return str(error)
    values = list(item.values())
    return {ours: values[position] for ours, position in found.items()}


def _of_file(address: str, renamed: Mapping[str, str], *, whole: bool) -> Iterator[_Record]:
    path = _existing(address)
    last = address.rpartition("/")[2].lower()
    suffix = re.search(r"(\.[a-z]+)?(\.gz)?$", last)
    kind, packed = suffix.groups() if suffix else (None, None)
    columns = Columns(address, renamed)
    read: Callable[[], Iterator[_Record]]
    if kind == ".parquet" and not packed:
        read = partial(_parquet, path, columns)
    elif kind in _TEXTS:
        read = partial(_text, path, bool(packed), _TEXTS[kind], columns)
    else:
        raise _wrong(
            address, "is of a kind that is not read: use .csv, .tsv, .jsonl (these also with .gz), or .parquet"
        )
    try:
        if not whole:
            for _ in read():
                pass
        yield from read()
    except UnicodeDecodeError as error:
        around = error.object[max(0, error.start - 20) : error.end + 20]
        raise _wrong(address, f"is not in UTF-8, see {around!r}: save it as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _wrong(address, f"is not a complete gzip file ({error}): write it again") from None
    except Unusable as error:
        raise _wrong(address, str(error)) from None


def _existing(address: str) -> ObjectStoragePath:
    if "://" not in address:
        remedy = f"use {'file://' + address!r}" if address.startswith("/") else "use s3://…, gs://… or file:///…"
        raise ClaidValidationError(
            f"prompts={shortened(address)} is a text, but neither a list of prompts nor the address of a file: "
            f"{remedy}; for a list from another task give task.output, not a template, or let the DAG have "
            "render_template_as_native_obj=True"
        )
    if problem := relative_path_problem(address):
        raise _wrong(address, problem)
    path = located(address, "prompts")
    path.fs.invalidate_cache()
    try:
        is_file = not address.endswith("/") and path.fs.info(path.path)["type"] == "file"
    except (FileNotFoundError, NotADirectoryError):
        problem = quoted_path_problem(address) or "does not exist: see whether the task that writes it has run"
        raise _wrong(address, problem) from None
    if not is_file:
        raise _wrong(address, "is a folder: name one file")
    return path


@contextmanager
def _opened(path: ObjectStoragePath, packed: bool) -> Iterator[TextIO]:
    """Open a file as text; a byte order mark at its beginning is left out."""
    with path.fs.open(path.path, "rb", block_size=_BLOCK) as file:
        plain = gzip.GzipFile(fileobj=file) if packed else io.BufferedReader(file)
        with io.TextIOWrapper(plain, encoding="utf-8-sig", newline="") as text:
            yield text


_TextReader = Callable[[TextIO, Columns], Iterator[_Record]]


def _text(path: ObjectStoragePath, packed: bool, read: _TextReader, columns: Columns) -> Iterator[_Record]:
    with _opened(path, packed) as text:
        yield from read(text, columns)


def _json_lines(text: TextIO, columns: Columns) -> Iterator[_Record]:
    lacking: str | None = None
    usable = False
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
        record = _of_item(item, columns)
        if isinstance(record, dict):
            usable = usable or "prompt" in record
            lacking = lacking or columns.lacking("prompt", list(item))
        yield record
    if lacking and not usable:
        raise Unusable(lacking)


def _no_number(constant: str) -> object:
    raise ValueError(f"{constant} is no number in JSON")


def _csv(text: TextIO, columns: Columns, delimiter: str = ",") -> Iterator[_Record]:
    records = _cells(text, delimiter)
    header = next(records, None)
    if header is None or isinstance(header[1], str):
        raise Unusable(f"has no header: its first line must name the columns, {', '.join(COLUMNS)}")
    names = header[1]
    try:
        found = columns.in_header(names)
    except Unusable as error:
        semicolons = "; its columns must be parted by commas, not semicolons" if ";" in names[0] else ""
        raise Unusable(f"{error}{semicolons}") from None
    for line, cells in records:
        if isinstance(cells, str):
            yield cells
        elif any(cell.strip() for cell in cells[len(names) :]):
            yield (
                f"has {len(cells)} columns where the header has {len(names)} (line {line}): put a text that holds "
                "a comma or a tab into double quotes"
            )
        else:
            values = {ours: cells[position] for ours, position in found.items() if position < len(cells)}
            yield {ours: _number(value) if ours in _NUMBERS else value for ours, value in values.items()}


def _cells(text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row's line and its cells; or, instead of cells, why they cannot be separated."""
    last = ""

    def lines() -> Iterator[str]:
        nonlocal last
        for last in text:  # noqa: UP028 - the line is needed below
            yield last

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > line:
                raise Unusable(
                    f"has a double quote in line {line} that is closed wrongly or never, and would swallow the lines "
                    f"up to {reader.line_num}: close it, or write it twice within a quoted text"
                ) from None
            if delimiter == ",":
                yield line, f"cannot be parted into columns (line {line}: {error})"
                continue
            cells = last.rstrip("\r\n").split(delimiter)
        if cells:
            yield line, cells


_TEXTS: dict[str, _TextReader] = {
    ".csv": _csv,
    ".tsv": partial(_csv, delimiter="\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}


def _number(text: str) -> object:
    """Return the number that a text shows; other text stays, for the check that refuses it by name."""
    plain = text.strip()
    if _WHOLE.fullmatch(plain):
        return int(plain)
    return float(plain) if _DECIMAL.fullmatch(plain) else text


def _parquet(path: ObjectStoragePath, columns: Columns) -> Iterator[_Record]:
    try:
        from pyarrow import ArrowException  # type: ignore[import-untyped]
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]
    except ImportError:
        raise Unusable('needs pyarrow to be read: pip install "airflow-claid[parquet]"') from None
    with path.fs.open(path.path, "rb", block_size=_BLOCK) as file:
        try:
            with ParquetFile(file, buffer_size=_PARQUET_BUFFER) as parquet:
                names = parquet.schema_arrow.names
                found = {ours: names[position] for ours, position in columns.in_header(names).items()}
                for batch in parquet.iter_batches(_PARQUET_ROWS, columns=sorted(set(found.values()))):
                    for values in batch.to_pylist():
                        yield {ours: values[theirs] for ours, theirs in found.items()}
        except ArrowException as error:
            raise Unusable(f"is not a complete Parquet file ({error}): write it again") from None


def _wrong(address: str, problem: str) -> ClaidValidationError:
    return ClaidValidationError(f"prompts={address!r} {problem}")
