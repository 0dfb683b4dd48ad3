"""What a benchmark found: tables, printed as they are and written between the markers of docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airflow import __version__ as airflow_version

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "benchmarks.md"


@dataclass
class Table:
    """One table.

    :param name: between which markers of the page it goes.
    :param header: the columns.
    :param rows: the cells, as they are shown.
    :param wrong: what in it is not as promised.
    """

    name: str
    header: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what is not as promised."""
        if not holds:
            self.wrong.append(f"{self.name}: {otherwise}")

    def __str__(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def machine() -> str:
    """Tell on what it was measured, and how busy that was."""
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, Airflow {airflow_version}, "
        f"load before it began {busy}"
    )


def write_into_docs(table: Table, taken_on: str) -> None:
    """Put a table, and what it was measured on, between its markers in the page.

    :raises ValueError: if the page has no place for it.
    """
    begin, end = f"<!-- {table.name} -->\n", f"<!-- end of {table.name} -->"
    before, found, rest = DOCS.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{DOCS} has no place between {begin.strip()} and {end}")
    text = f"{before}{begin}{table}\nMeasured on {taken_on}.\n{end}{after}"
    DOCS.write_text(text, encoding="utf-8")


def percent(share: float) -> str:
    """Write a share of 0 to 1, or more."""
    return f"{share:.1%}"
