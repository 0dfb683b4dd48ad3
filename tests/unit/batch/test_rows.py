from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from airflow.sdk import ObjectStoragePath
from pyarrow import parquet

from airflow_claid.batch import Row, read_rows
from airflow_claid.client import ClaidValidationError

CASES = Path(__file__).parents[2] / "data" / "cases"


def test_rows_are_given_by_the_files_own_names_of_the_columns() -> None:
    assert list(read_rows(ObjectStoragePath(f"file://{CASES / 'bom.csv'}"))) == [
        Row(1, {"sku": "CH-2001", "name": "Fauteuil Éden", "kind": "armchair", "details": "green velvet"})
    ]


def test_a_row_that_cannot_be_used_has_a_problem_and_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,name\n1,a,b\n2\n3,c\\\n4,d\n")
    first, second, third, fourth = read_rows(f"file://{tmp_path}/a.csv")
    assert "has 3 columns where the header has 2 (line 2)" in str(first.problem)
    assert second == Row(2, {"sku": "2"})
    assert "has a name that ends with a backslash (line 4)" in str(third.problem)
    assert fourth == Row(4, {"sku": "4", "name": "d"})


def test_json_lines_and_parquet_are_read_with_pythons_own_values(tmp_path: Path) -> None:
    lines = [json.dumps({"sku": 1, "Name": "a"}), '"a text"', "null", "[1]", json.dumps({"other": True})]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    first, text, none, array, other = read_rows(f"file://{tmp_path}/a.jsonl")
    assert (first.values, other.values) == ({"sku": 1, "Name": "a"}, {"other": True})
    assert [row.problem for row in (text, none, array)] == [
        "is 'a text', not an object",
        "has no values",
        "is [1], not an object",
    ]
    parquet.write_table(pa.table({"sku": [b"x", b"\xe9"], "size": [float("nan"), 2.0]}), tmp_path / "a.parquet")
    assert list(read_rows(f"file://{tmp_path}/a.parquet")) == [
        Row(1, {"sku": "x", "size": None}),
        Row(2, problem="has bytes that are not UTF-8"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "sku,sku\n1,2\n", "has the column 'sku' 2 times"),
        ("a.csv", "", "has no header"),
        ("a.txt", "", "kind"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str, problem: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ClaidValidationError, match=rf"address='file:.*{problem}"):
        next(read_rows(f"file://{tmp_path}/{name}"))
