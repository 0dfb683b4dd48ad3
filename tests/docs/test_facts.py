"""What pages say of figures and messages is what is measured, and what the code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.docs.pages import ROOT, Page, Table

MEASURED = ("Quota used", "Edited")
"""The second columns of the tables of docs/why.md that have figures."""


def tables_of(page: str) -> list[Table]:
    return Page(ROOT / "docs" / page).tables


def test_figures_of_the_comparison_are_those_of_the_benchmarks() -> None:
    measured = {cell for table in tables_of("benchmarks.md") for row in table.rows for cell in row}
    tables = [table for table in tables_of("why.md") if table.header[1] in MEASURED]
    assert len(tables) == len(MEASURED)
    for row in (row for table in tables for row in table.rows):
        for cell in row[1:]:
            assert cell in measured | {"not measured"}, f"{row[0]}: docs/benchmarks.md has no {cell}"


def test_messages_of_the_troubleshooting_are_those_of_the_code() -> None:
    said = list(messages())
    (table,) = (table for table in tables_of("troubleshooting.md") if table.header[0] == "Text")
    for text in table.names:
        pattern = re.compile(".*".join(map(re.escape, text.split("…"))))
        assert any(pattern.search(message) for message in said), f"nothing says {text!r}"


def messages() -> Iterator[str]:
    """Yield all texts of the package, with ``…`` in place of what is put into them."""
    for file in sorted((ROOT / "airflow_claid").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[sdrg]", "…", node.value)
