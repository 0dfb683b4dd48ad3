"""Writes the tables of ``docs/account-check.md``: a row for every assumption of the account check.

``python -m tests.account_check_table``
"""

from __future__ import annotations

import sys
from pathlib import Path

from airflow_claid.account_check.check import GROUPS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "account-check.md"
MARKS = ("<!-- assumptions -->\n", "<!-- end of assumptions -->\n")
_HEADER = "| Assumption | What is assumed | Known from | Tried by | If it differs |\n| --- | --- | --- | --- | --- |\n"


def written() -> str:
    """Return what stands between the marks."""
    parts = []
    for group in GROUPS:
        rows = (
            (
                f"`{one.name}`",
                one.says,
                one.source,
                one.tried,
                one.cure.replace("connection.md", "[Connection](connection.md)"),
            )
            for one in group.assumptions
        )
        lines = "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows)
        paid = "Tried with `--spend 2`.\n\n" if group.paid else ""
        parts.append(f"### {group.title}\n\n{paid}{_HEADER}{lines}")
    return "\n" + "\n".join(parts) + "\n"


def on_page() -> str:
    """Return what the page has between the marks."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = (page.index(mark) for mark in MARKS)
    return page[begin + len(MARKS[0]) : end]


def main() -> None:
    """Write the tables into the page, and print them."""
    page, tables = PAGE.read_text(encoding="utf-8"), written()
    PAGE.write_text(page.replace(MARKS[0] + on_page(), MARKS[0] + tables), encoding="utf-8")
    sys.stdout.write(tables)


if __name__ == "__main__":
    main()
