"""Manifests as pages: where each row begins and what became of it, kept in a few bytes; rows are read when shown."""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from airflow_claid.plugins.gallery.files import File
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.storage.addresses import local_path, path_of
from airflow_claid.storage.object_storage import BLOCK_BYTES, located

MOST_BYTES = 2_000_000_000
"""A larger manifest is not shown; a million rows have about half of that."""

_KEPT = 8
_SEARCHES_KEPT = 8
_LINES_AT_ONCE = 2000
_STATUS = re.compile(rb'"status"\s*:\s*"([a-z]{1,20})"')


class ManifestPages:
    """A manifest, of which any rows can be read at once.

    Thread-safe. The file must not change; its rows take nine bytes of memory each.

    :param file: the manifest, on this machine; it is closed with this.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._starts = array("Q")
        self._states = bytearray()
        self.names: list[str] = []
        """The states that rows have, in the order in which they were met first."""
        self._searches: OrderedDict[tuple[str, str], Sequence[int]] = OrderedDict()
        self._lock = threading.Lock()
        codes: dict[bytes, int] = {}
        position = 0
        for line in file:
            match = _STATUS.search(line)
            if match is not None:
                code = codes.setdefault(match[1], len(codes))
                if code == len(self.names):
                    self.names.append(match[1].decode())
                self._starts.append(position)
                self._states.append(code)
            position += len(line)
        self._starts.append(position)

    def __len__(self) -> int:
        return len(self._states)

    def counts(self) -> dict[str, int]:
        """Return how many rows have each state."""
        return {name: self._states.count(code) for code, name in enumerate(self.names)}

    def row(self, number: int) -> dict[str, Any]:
        """Return a row by its position, from 0.

        :raises IndexError: if there is none.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        start = self._starts[number]
        return _row(os.pread(self._file.fileno(), self._starts[number + 1] - start, start))

    def numbers(self, state: str, matches: Callable[[int, dict[str, Any]], bool] | None, text: str) -> Sequence[int]:
        """Return the positions of the rows that have a state and match a text.

        :param state: empty for all.
        :param matches: tells of a row whether it has the text; ``None`` where no text is looked for.
        :param text: casefolded; it is part of a row's line wherever it is part of one of its values.
        """
        if not state and matches is None:
            return range(len(self))
        with self._lock:
            if (state, text) in self._searches:
                self._searches.move_to_end((state, text))
                return self._searches[state, text]
        code = self.names.index(state) if state in self.names else -1
        if matches is None:
            found = array("I", (number for number, each in enumerate(self._states) if each == code))
        else:
            wanted = None if not state else code
            found = array("I", (number for number, row in self._with(text, wanted) if matches(number, row)))
        with self._lock:
            self._searches[state, text] = found
            while len(self._searches) > _SEARCHES_KEPT:
                self._searches.popitem(last=False)
        return found

    def about(self, address: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the rows that name a file, as far as a line can tell; whoever asks must look at the row."""
        trace = json.dumps(path_of(address), ensure_ascii=False)[1:-1].encode(errors="backslashreplace")
        for number, line in self._lines():
            if trace in line:
                yield number, _row(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _with(self, text: str, code: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
        trace = json.dumps(text, ensure_ascii=False)[1:-1]
        for number, line in self._lines():
            if (code is None or self._states[number] == code) and trace in line.decode(errors="replace").casefold():
                yield number, _row(line)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for first in range(0, len(self), _LINES_AT_ONCE):
            last = min(len(self), first + _LINES_AT_ONCE)
            start = self._starts[first]
            block = os.pread(self._file.fileno(), self._starts[last] - start, start)
            for number in range(first, last):
                yield number, block[self._starts[number] - start : self._starts[number + 1] - start]


def _row(line: bytes) -> dict[str, Any]:
    """Return a row; of a broken line, one that says so."""
    try:
        row = json.loads(line.partition(b"\n")[0])
    except ValueError:
        row = None
    return row if isinstance(row, dict) else {"status": "failed", "error": "This line of the manifest is broken"}


class Manifests:
    """The manifests that were looked at last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._kept: OrderedDict[str, tuple[str, ManifestPages]] = OrderedDict()

    def get(self, file: File, most_bytes: int | None = None) -> ManifestPages:
        """Return a manifest.

        :param most_bytes: a larger one is not read; by default :data:`MOST_BYTES`.

        :raises NotShownError: if it is too large, or can no longer be read.
        """
        with self._lock:
            own = self._locks.setdefault(file.address, threading.Lock())
        with own:
            state, pages = self._kept.get(file.address, ("", None))
            if pages is None or file.state != state:
                if file.size is None or file.size > (most_bytes or MOST_BYTES):
                    raise NotShownError("The manifest is too large to be shown here.", status=413)
                try:
                    pages = ManifestPages(_opened(file.address))
                except OSError as error:
                    raise NotShownError(f"The manifest cannot be read ({type(error).__name__}).") from None
            self._keep(file.address, (file.state, pages))
            return pages

    def _keep(self, address: str, entry: tuple[str, ManifestPages]) -> None:
        """Keep a manifest, and let go of the one that was not asked for longest; its last reader closes it."""
        with self._lock:
            self._kept[address] = entry
            self._kept.move_to_end(address)
            while len(self._kept) > _KEPT:
                gone, _ = self._kept.popitem(last=False)
                self._locks.pop(gone, None)


def _opened(address: str) -> IO[bytes]:
    """Open a manifest on this machine: its file itself, or a copy that disappears with the process."""
    local = local_path(address)
    if local is not None:
        return open(local, "rb")  # noqa: PTH123 - whoever asked for it closes it
    copy = tempfile.TemporaryFile(prefix="airflow-claid-")  # noqa: SIM115 - likewise
    try:
        path = located(address)
        with path.fs.open(path.path, "rb", block_size=BLOCK_BYTES, cache_type="readahead") as source:
            while block := source.read(BLOCK_BYTES):
                copy.write(block)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy
