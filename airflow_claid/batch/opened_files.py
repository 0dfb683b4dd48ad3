"""Opening files of rows, anywhere Airflow can read, and saying what is wrong with one as a whole."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.columns import Unusable
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.storage.addresses import is_link, last_of, quoted_path_problem, relative_path_problem
from airflow_claid.storage.object_storage import located

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"

_BLOCK = 4 << 20
"""Bytes that are fetched from a bucket at once."""

_GZIP = b"\x1f\x8b"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SUFFIXES = re.compile(r"(\.[a-z]+)?(\.gz)?$")


def kind_of_file(address: str) -> tuple[str | None, bool]:
    """Return the suffix that says how a file is written, and whether another says that gzip packed it."""
    found = _SUFFIXES.search(last_of(address).lower())
    kind, packed = found.groups() if found else (None, None)
    return kind, bool(packed)


def is_catalogue(address: str) -> bool:
    """Tell whether an address is, by its suffix, that of a file of rows; a web link is not."""
    return not is_link(address) and kind_of_file(address)[0] in (*DELIMITERS, *JSON_LINES, PARQUET)


def existing(address: str, parameter: str) -> ObjectStoragePath:
    """Return the path of a file.

    :param parameter: the parameter that the address came from, for errors.
    :raises ClaidValidationError: if there is no such file.
    """
    if problem := text_problem(address, parameter):
        raise ClaidValidationError(f"{parameter}={shortened(address)} {problem}")
    if problem := relative_path_problem(address):
        raise wrong(parameter, address, problem)
    path = located(address, parameter)
    path.fs.invalidate_cache()
    try:
        is_file = not address.endswith("/") and path.fs.info(path.path)["type"] == "file"
    except (FileNotFoundError, NotADirectoryError):
        problem = quoted_path_problem(address) or "does not exist: see whether the task that writes it has run"
        raise wrong(parameter, address, problem) from None
    if not is_file:
        raise wrong(parameter, address, "is a folder: name one file")
    return path


def text_problem(text: str, parameter: str) -> str | None:
    """Say why a text that stands alone, and should be an address, is none; ``None`` where it is one."""
    if _SCHEME.match(text):
        return None
    remedy = f"use {'file://' + text!r}" if text.startswith("/") else "use s3://…, gs://… or file:///…"
    return (
        f"is a text, but neither a list of {parameter} nor an address: {remedy}; for a list from another task give "
        "task.output, not a template, or let the DAG have render_template_as_native_obj=True"
    )


@contextmanager
def refusing(parameter: str, address: str) -> Iterator[None]:
    """Say what is wrong with a file as a whole.

    :raises ClaidValidationError: in place of the exceptions of decoders.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        around = error.object[max(0, error.start - 20) : error.end + 20]
        raise wrong(parameter, address, f"is not in UTF-8, see {around!r}: save it as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise wrong(parameter, address, f"is not a complete gzip file ({error}): write it again") from None
    except Unusable as error:
        raise wrong(parameter, address, str(error)) from None


def wrong(parameter: str, address: str, problem: str) -> ClaidValidationError:
    """Return the error about a file."""
    return ClaidValidationError(f"{parameter}={address!r} {problem}")


@contextmanager
def opened_text(path: ObjectStoragePath, packed: bool) -> Iterator[TextIO]:
    """Open a file as text; a byte order mark at its beginning is left out.

    :param packed: whether its name says that gzip packed it; a file that gzip packed is unpacked whatever its name.
    """
    with _unpacked(path, packed) as (file, _), io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        yield text


@contextmanager
def opened_to_seek(path: ObjectStoragePath, packed: bool) -> Iterator[IO[bytes]]:
    """Open a file of which any part can be read next; one that gzip packed is unpacked to this machine's disk first.

    :param packed: as for :func:`opened_text`.
    """
    with _unpacked(path, packed) as (file, is_packed):
        if not is_packed:
            yield file
            return
        with tempfile.TemporaryFile(prefix="airflow-claid-") as local:
            shutil.copyfileobj(file, local, _BLOCK)
            local.seek(0)
            yield local


@contextmanager
def _unpacked(path: ObjectStoragePath, packed: bool) -> Iterator[tuple[IO[bytes], bool]]:
    """Open a file without the packing of gzip, and tell whether it was packed."""
    with _bytes_of(path) as (file, is_unpacked):
        plain = io.BufferedReader(file)  # type: ignore[type-var]
        beginning = plain.peek(2)[:2]
        if packed and not beginning:
            raise EOFError("it is empty")
        if beginning == _GZIP or (packed and not is_unpacked):
            yield gzip.GzipFile(fileobj=plain), True  # type: ignore[misc]
        else:
            yield plain, False


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
