r"""Rows of comma-separated and tab-separated texts, in both dialects: ``""`` and ``\"`` for a quote in a quoted field.

A file shows its dialect only by its rows: :func:`fits_better_escaped` compares how they fit the header. Whatever it
decides, a row that may be cut at a backslash is not used.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from airflow_claid.batch.columns import Columns, Record, Unusable

_LONGEST_FIELD = 10_000_000
"""Characters. Python's own limit, 131,072, is too short for the HTML of a product page."""


@dataclass
class Fit:
    """How the rows of a text fit its header.

    :param misfits: number of rows that cannot be parted, or have another number of columns.
    :param has_escapes: whether a line holds a backslash before a quote or a delimiter.
    """

    misfits: int = 0
    has_escapes: bool = False


def separated(
    text: TextIO, columns: Columns, *, delimiter: str = ",", escaped: bool = False, fit: Fit | None = None
) -> Iterator[Record]:
    r"""Yield the records of a text whose first line is a header.

    :param escaped: whether a backslash escapes quotes, delimiters, line ends and itself.
    :param fit: counts what does not fit.
    :raises Unusable: if the text as a whole cannot be used.
    """
    fit = fit or Fit()
    rows = _rows(text, delimiter, escaped, fit)
    header = next(rows, None)
    if header is None or isinstance(header[1], str):
        raise Unusable(
            f"has no header: its first line must name the columns, {', '.join(columns.wanted or ['sku', '…'])}"
        )
    names = header[1]
    try:
        found = columns.in_header(names)
    except Unusable as error:
        semicolons = "; its columns must be parted by commas, not semicolons" if ";" in names[0] else ""
        raise Unusable(f"{error}{semicolons}") from None
    for line, cells in rows:
        fit.misfits += isinstance(cells, str) or len(cells) != len(names)
        yield cells if isinstance(cells, str) else _record(line, cells, names, found, escaped)


def fits_better_escaped(plain: Fit, escaped: Fit) -> bool:
    """Return whether the rows of a text fit its header better if a backslash is an escape."""
    return escaped.misfits < plain.misfits


def _record(line: int, cells: Sequence[str], names: Sequence[str], found: dict[str, int], escaped: bool) -> Record:
    if any(cell.strip() for cell in cells[len(names) :]):
        return (
            f"has {len(cells)} columns where the header has {len(names)} (line {line}): put a text that holds a comma "
            "or a tab into double quotes"
        )
    values: dict[str, object] = {ours: cells[position] for ours, position in found.items() if position < len(cells)}
    for ours, value in values.items():
        if not escaped and _ends_in_an_escape(str(value)):
            return (
                f"has a {ours} that ends with a backslash (line {line}), and may be cut there: write a quote within a "
                'quoted text twice (""), and leave out a backslash at the end'
            )
    return values


def _ends_in_an_escape(value: str) -> bool:
    return value.endswith("\\") and (len(value) - len(value.rstrip("\\"))) % 2 == 1


def _rows(text: Iterable[str], delimiter: str, escaped: bool, fit: Fit) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row's line and its cells; or, instead of cells, why they cannot be separated."""
    last = ""
    marks = ('\\"', "\\" + delimiter)

    def lines() -> Iterator[str]:
        nonlocal last
        for line in text:
            last = line
            if "\\" in line:
                fit.has_escapes = fit.has_escapes or any(mark in line for mark in marks)
                yield _with_only_known_escapes(line, delimiter) if escaped else line
            else:
                yield line

    csv.field_size_limit(max(_LONGEST_FIELD, csv.field_size_limit()))
    reader = csv.reader(lines(), delimiter=delimiter, strict=True, escapechar="\\" if escaped else None)
    while True:
        line = reader.line_num + 1
        try:
            cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > line:
                raise Unusable(
                    f"has a double quote in line {line} that is closed wrongly or never, and would swallow the lines "
                    f"up to {reader.line_num}: close it, or write it twice within a quoted text"
                ) from None
            cells = _without_quotes(last, delimiter) or f"cannot be parted into columns (line {line}: {error})"
        if isinstance(cells, str):
            yield line, cells
        elif cells:
            yield line, ["" if escaped and cell == "\\N" else cell for cell in cells]


def _without_quotes(line: str, delimiter: str) -> list[str] | None:
    """Return the cells of a tab-separated line whose quotes are letters; ``None`` if one may be cut off."""
    cells = line.rstrip("\r\n").split(delimiter)
    cut_off = cells[-1][:1] == '"' and cells[-1].count('"') == 1 and not line.endswith(("\n", "\r"))
    return None if delimiter == "," or cut_off else cells


def _with_only_known_escapes(line: str, delimiter: str) -> str:
    r"""Double each backslash that escapes nothing, as in ``C:\new``: the reader would swallow it."""
    known = f'"\\{delimiter}\r\n'
    return re.sub(
        r"\\(.|$)", lambda pair: pair[0] if pair[1] and pair[1] in known else f"\\{pair[0]}", line, flags=re.S
    )
