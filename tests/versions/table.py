"""Put the results of one Airflow on one Python into the table of docs/versions.md."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

DOCS = Path(__file__).resolve().parents[2] / "docs" / "versions.md"
CHECKS = {
    "example DAGs": "test_an_example_dag",
    "plugin": "test_the_plugin",
    "connection form": "test_the_connection_form",
    "features": "test_this_airflow_has",
}
"""The columns that test_as_installed.py fills, and how the names of their tests begin."""

_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


@dataclass
class Results:
    """How many tests passed, were skipped, and which failed."""

    passed: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.passed + self.skipped + len(self.failed):
            return "not run"
        parts = [f"{self.passed} passed"]
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        parts += [f"{len(self.failed)} failed: {', '.join(self.failed[:3])}"] if self.failed else []
        return ", ".join(parts)


def read_results(file: Path, begins: str = "") -> Results:
    """Read the tests of a JUnit file whose names begin like this."""
    results = Results()
    if not file.exists():
        return results
    for case in ET.parse(file).iter("testcase"):
        name = case.get("name", "")
        if not name.startswith(begins):
            continue
        if case.find("failure") is not None or case.find("error") is not None:
            results.failed.append(f"`{name}`")
        elif case.find("skipped") is not None:
            results.skipped += 1
        else:
            results.passed += 1
    return results


def with_row(page: str, row: list[str]) -> str:
    """Return the page with the row of this Airflow and Python replaced."""
    line = f"| {' | '.join(row)} |"
    table = _TABLE.search(page)
    if not table:
        raise ValueError("docs/versions.md has no table between its marks")
    rows = table[0].splitlines()
    places = [place for place, old in enumerate(rows) if old.startswith(f"| {row[0]} | {row[1]} |")]
    if not places:
        raise ValueError(f"docs/versions.md has no row for Airflow {row[0]} on Python {row[1]}")
    rows[places[0]] = line
    return page[: table.start()] + "".join(f"{text}\n" for text in rows) + page[table.end() :]


def main() -> int:
    """Print the row, write it where that is wanted, and fail if a test did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("airflow")
    parser.add_argument("python")
    parser.add_argument("results", type=Path, help="the folder with installed.xml and unit.xml")
    parser.add_argument("--whole", action="store_true", help="all unit tests were run")
    parser.add_argument("--update-docs", action="store_true")
    asked = parser.parse_args()
    unit = read_results(asked.results / "unit.xml")
    checks = [read_results(asked.results / "installed.xml", begins) for begins in CHECKS.values()]
    which = ("all: " if asked.whole else "part: ") if unit.passed else ""
    row = [asked.airflow, asked.python, f"{which}{unit}", *map(str, checks)]
    print(f"| {' | '.join(row)} |")
    if asked.update_docs:
        DOCS.write_text(with_row(DOCS.read_text(encoding="utf-8"), row), encoding="utf-8")
    return 1 if unit.failed or any(check.failed or not check.passed for check in checks) else 0


if __name__ == "__main__":
    raise SystemExit(main())
