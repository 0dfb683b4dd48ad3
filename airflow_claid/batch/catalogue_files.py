"""Files of rows, anywhere Airflow can read: CSV, TSV, JSON lines, each also packed by gzip, and Parquet."""

from __future__ import annotations

import gzip
import io
import json
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TextIO

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.columns import Columns, Record, Unusable
from airflow_claid.batch.separated import Fit, fits_better_escaped, separated
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.storage.addresses import quoted_path_problem, relative_path_problem
from airflow_claid.storage.object_storage import located

_PARQUET_ROWS = 500
_PARQUET_BUFFER = 1 << 16
_BLOCK = 4 << 20
"""Bytes that are fetched from a bucket at once."""

_GZIP = b"\x1f\x8b"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")

_Read = Callable[[], Iterator[Record]]
_Open = Callable[[], AbstractContextManager[TextIO]]


class CatalogueFile:
    """A file of rows, read as a stream, as often as is asked.

    Before its first rows are handed out it is read once to its end, so that a damaged file stops a batch before
    anything is paid, and so that it shows in which dialect it is written.

    :param address: of a ``.csv``, ``.tsv``, ``.jsonl`` or ``.ndjson`` file, any of them also with ``.gz``, or of a
        ``.parquet`` file.
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
        with self._refusing():
            yield from read()

    def count(self) -> int:
        """Read the file to its end, and return how many rows it has.

        :raises ClaidValidationError: as :meth:`records`.
        """
        self._read, count = self._checked()
        return count

    def _checked(self) -> tuple[_Read, int]:
        """Read the file to its end; return what reads it again, and how many rows it has."""
        path = _existing(self.address, self._parameter)
        suffix = re.search(r"(\.[a-z]+)?(\.gz)?$", self.address.rpartition("/")[2].lower())
        kind, packed = suffix.groups() if suffix else (None, None)
        with self._refusing():
            if kind in _DELIMITERS:
                return self._in_its_dialect(partial(_opened, path, bool(packed)), _DELIMITERS[kind])
            read: _Read
            if kind == ".parquet" and not packed:
                read = partial(_parquet, path, self._columns)
            elif kind in _JSON_LINES:
                read = partial(_json_lines, partial(_opened, path, bool(packed)), self._columns)
            else:
                raise Unusable(
                    "is of a kind that is not read: use .csv, .tsv, .jsonl (these also with .gz), or .parquet"
                )
            return read, sum(1 for _ in read())

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Say what is wrong with the file as a whole."""
        try:
            yield
        except UnicodeDecodeError as error:
            around = error.object[max(0, error.start - 20) : error.end + 20]
            raise self._wrong(f"is not in UTF-8, see {around!r}: save it as UTF-8") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._wrong(f"is not a complete gzip file ({error}): write it again") from None
        except Unusable as error:
            raise self._wrong(str(error)) from None

    def _wrong(self, problem: str) -> ClaidValidationError:
        return _wrong(self._parameter, self.address, problem)

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


def _existing(address: str, parameter: str) -> ObjectStoragePath:
    if "://" not in address:
        remedy = f"use {'file://' + address!r}" if address.startswith("/") else "use s3://…, gs://… or file:///…"
        raise ClaidValidationError(
            f"{parameter}={shortened(address)} is a text, but neither a list of {parameter} nor the address of a file: "
            f"{remedy}; for a list from another task give task.output, not a template, or let the DAG have "
            "render_template_as_native_obj=True"
        )
    if problem := relative_path_problem(address):
        raise _wrong(parameter, address, problem)
    path = located(address, parameter)
    path.fs.invalidate_cache()
    try:
        is_file = not address.endswith("/") and path.fs.info(path.path)["type"] == "file"
    except (FileNotFoundError, NotADirectoryError):
        problem = quoted_path_problem(address) or "does not exist: see whether the task that writes it has run"
        raise _wrong(parameter, address, problem) from None
    if not is_file:
        raise _wrong(parameter, address, "is a folder: name one file")
    return path


@contextmanager
def _opened(path: ObjectStoragePath, packed: bool) -> Iterator[TextIO]:
    """Open a file as text; a byte order mark at its beginning is left out.

    :param packed: whether its name says that gzip packed it; a file that gzip packed is unpacked whatever its name.
    """
    with _bytes_of(path) as (file, is_unpacked):
        plain = io.BufferedReader(file)  # type: ignore[type-var]
        is_packed = plain.peek(2)[:2] == _GZIP or (packed and not is_unpacked)
        unpacked = gzip.GzipFile(fileobj=plain) if is_packed else plain
        with io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as text:
            yield text


@contextmanager
def _bytes_of(path: ObjectStoragePath) -> Iterator[tuple[IO[bytes], bool]]:
    """Open a file; also tell whether the storage may have unpacked it on the way.

    Google unpacks objects whose content encoding is gzip as it sends them, but tells their packed size: a reader that
    believes the size stops early. Such an object is fetched whole first.
    """
    info = path.fs.info(path.path)
    if not info.get("contentEncoding"):
        with path.fs.open(path.path, "rb", block_size=_BLOCK) as file:
            yield file, False
        return
    with tempfile.TemporaryDirectory(prefix="airflow-claid-") as folder:
        local = Path(folder) / "catalogue"
        path.fs.get_file(path.path, str(local), headers={"Accept-Encoding": "gzip"})
        with local.open("rb") as file:
            yield file, True


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


def _parquet(path: ObjectStoragePath, columns: Columns) -> Iterator[Record]:
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


def _wrong(parameter: str, address: str, problem: str) -> ClaidValidationError:
    return ClaidValidationError(f"{parameter}={address!r} {problem}")
