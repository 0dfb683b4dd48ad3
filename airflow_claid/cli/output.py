"""What commands print: their result to stdout, as a table or as JSON, and everything else to stderr."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_ROWS_AT_ONCE = 500
"""So many rows of a table are laid out together; the next ones keep to their columns."""

_WIDE = 10_000
"""Characters of a line where nobody looks at it: ``grep`` and files get whole texts."""

_GAP = 2
_NARROWEST = 20
"""Characters between two columns, and of a column that is folded."""

_CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    :param title: of the column.
    :param of: returns the cell of a row: the row's field of that name, or what a function makes of the row.
    :param is_number: whether it is set to the right.
    """

    title: str
    of: str | Callable[[Mapping[str, Any]], object]
    is_number: bool = False

    def cell(self, row: Mapping[str, Any]) -> str:
        """Return the text of a cell."""
        return printable(row.get(self.of) if isinstance(self.of, str) else self.of(row))


class Output:
    """Prints the results of one command.

    :param out: where results go.
    :param err: where notes and errors go.
    :param as_json: whether results are JSON.
    """

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool) -> None:
        self._out = out
        self._err = err
        self.as_json = as_json

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Print one result: an object, or a table of its names and values; values of ``None`` are left out there."""
        if self.as_json:
            self._line(facts)
            return
        pairs = [{"name": name, "value": value} for name, value in facts.items() if value not in (None, "", [], {})]
        self._table(pairs, (Column("", "name"), Column("", "value")), with_header=False)

    def rows(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> int:
        """Print a list of any length, and return how many it has: an object a line, or a table.

        :param columns: of the table; JSON has the whole rows.
        """
        if not self.as_json:
            return self._table(rows, columns)
        count = 0
        for row in rows:
            self._line(row)
            count += 1
        return count

    def text(self, text: str) -> None:
        """Print lines beside tables; nothing in JSON."""
        if not self.as_json:
            self._out.writelines(f"{_CONTROLS.sub(' ', line)}\n" for line in text.splitlines())

    def flush(self) -> None:
        """Let whoever waits for it read what was printed."""
        self._out.flush()

    def note(self, text: str) -> None:
        """Tell something that is no result."""
        self._err.write(f"{printable(text)}\n")

    def _line(self, value: object) -> None:
        self._out.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")

    def _table(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, with_header: bool = True) -> int:
        """Print rows by pages, whose columns only grow wider: a table of any length needs little memory."""
        widths = [len(column.title) if with_header else 0 for column in columns]
        console, count = self._console, 0
        for page in _pages([column.cell(row) for column in columns] for row in rows):
            widths = [max(width, *(len(row[place]) for row in page)) for place, width in enumerate(widths)]
            fitted = _fitted(widths, console.width)
            console.print(_laid_out(page, columns, fitted, with_header=with_header and count == 0))
            count += len(page)
        return count

    @property
    def _console(self) -> Console:
        from rich.console import Console

        width = None if self._out.isatty() else _WIDE
        return Console(file=self._out, width=width, highlight=False, markup=False, emoji=False)


def printable(value: object) -> str:
    """Return a value as one line of printable characters: a prompt must not move the cursor of a terminal."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(printable, value))
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)
    return _CONTROLS.sub(" ", text).strip()


def _pages(rows: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    remaining = iter(rows)
    while page := list(islice(remaining, _ROWS_AT_ONCE)):
        yield page


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return the least widths of columns in a line: the widest one gives way, and its cells are folded."""
    fitted = list(widths)
    excess = sum(fitted) + _GAP * (len(fitted) - 1) - room
    if excess > 0:
        widest = fitted.index(max(fitted))
        fitted[widest] = max(_NARROWEST, fitted[widest] - excess)
    return fitted


def _laid_out(page: list[list[str]], columns: Sequence[Column], widths: Sequence[int], *, with_header: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    # The gap is a column too: before rich 14.3, padding is added to the least width, and what is beyond is cut off.
    table = Table(box=None, show_header=with_header, pad_edge=False, padding=0)
    for place, (column, width) in enumerate(zip(columns, widths, strict=True)):
        if place:
            table.add_column("", min_width=_GAP)
        table.add_column(
            Text(column.title), justify="right" if column.is_number else "left", min_width=width, overflow="fold"
        )
    for row in page:
        table.add_row(*[cell for text in row for cell in ("", Text(text))][1:])
    return table
