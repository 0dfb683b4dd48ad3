"""The results of a benchmark: tables that are printed, and written between the markers of docs/benchmarks.md."""

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

    :param name: of its markers in the page.
    :param header: names of the columns.
    :param rows: cells as they are shown.
    :param wrong: results that are not as promised.
    """

    name: str
    header: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Record a result that is not as promised."""
        if not holds:
            self.wrong.append(f"{self.name}: {otherwise}")

    def __str__(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def machine() -> str:
    """Return what machine the benchmark ran on, and how busy it was."""
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, Airflow {airflow_version}, "
        f"load before it began {busy}"
    )


def write_into_docs(table: Table, taken_on: str) -> None:
    """Write a table, and the machine that it was measured on, between its markers in the page.

    :raises ValueError: if the page has no such markers.
    """
    begin, end = f"<!-- {table.name} -->\n", f"<!-- end of {table.name} -->"
    before, opened, rest = DOCS.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"{DOCS} has no place between {begin.strip()} and {end}")
    text = f"{before}{begin}{table}\nMeasured on {taken_on}.\n{end}{after}"
    DOCS.write_text(text, encoding="utf-8")


def percent(share: float) -> str:
    """Return a share, 0 to 1 or more, as a percentage."""
    return f"{share:.1%}"
