"""The finished manifest of a batch, read as a stream: by the next batch, and by whoever wants to know the results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_claid.batch.columns import Unusable
from airflow_claid.batch.opened_files import JSON_LINES, existing, kind_of_file, opened_text, refusing
from airflow_claid.storage.addresses import is_link

_SUFFIXES = (*JSON_LINES, ".json")
"""Of the files that may be manifests; a user names his own as he likes."""


class ManifestFile:
    """A file that may be a manifest, which its first row tells.

    :param address: of the file, which gzip may have packed.
    :param parameter: the parameter that the address came from, for errors.
    """

    def __init__(self, address: str, parameter: str = "address") -> None:
        self.address = address
        self._parameter = parameter

    def is_manifest(self) -> bool:
        """Tell whether the first line that is JSON is a row of a manifest.

        :raises ClaidValidationError: if there is no such file, or it cannot be read.
        """
        with refusing(self._parameter, self.address):
            return next((_is_row(value) for _, value, _ in self._lines() if value is not None), False)

    def is_empty(self) -> bool:
        """Tell whether there is no line: a batch without items writes such a manifest.

        :raises ClaidValidationError: as :meth:`is_manifest`.
        """
        with refusing(self._parameter, self.address):
            return next(self._lines(), None) is None

    def rows(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Yield the number of each line, from 1, and its row; ``None`` in place of one that is broken.

        :raises ClaidValidationError: if the file as a whole cannot be used: it is not there, or cut off.
        """
        with refusing(self._parameter, self.address):
            for number, value, is_whole in self._lines():
                if not (is_whole or _is_row(value)):
                    raise Unusable(f"is cut off in line {number}, its last: copy the whole manifest again")
                yield number, value if _is_row(value) else None

    def _lines(self) -> Iterator[tuple[int, Any, bool]]:
        """Yield the number of each line that is not empty, its value, and whether the line has an end."""
        path = existing(self.address, self._parameter)
        with opened_text(path, kind_of_file(self.address)[1]) as text:
            for number, line in enumerate(text, start=1):
                if line.strip():
                    yield number, _value(line), line.endswith(("\n", "\r"))


def may_be_manifest(address: str) -> bool:
    """Tell whether an address has a suffix that a manifest may have."""
    return not is_link(address) and kind_of_file(address)[0] in _SUFFIXES


def row_of(line: bytes) -> dict[str, Any] | None:
    """Return the row that a line of a manifest is; ``None`` for one that is broken."""
    value = _value(line)
    return value if _is_row(value) else None


def _value(line: str | bytes) -> Any:
    """Return what a line of JSON says; ``None`` where it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_row(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and type(value.get("row")) is int
        and isinstance(value.get("fingerprint", 0), (str, type(None)))
        and isinstance(value.get("status"), str)
    )
