"""Catalogues as they come, through the two examples that read one: one bad row stops nobody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.sandbox import Sandbox
from tests.support.airflow import Airflow

CASES = Path(__file__).parents[1] / "data" / "cases"


@pytest.mark.parametrize(
    ("file", "expected", "charged"),
    [
        ("bom.csv", [("CH-2001", "done")], 3),
        ("duplicate_sku.csv", [("CH-2001", "done"), ("CH-2001", "invalid"), ("LT-3001", "done")], 6),
        ("sku_with_slash.csv", [("CH/2001", "invalid"), ("LT-3001", "done")], 3),
        ("long_other_column.csv", [("L1", "invalid"), ("L2", "invalid")], 0),
    ],
)
def test_the_product_catalogue_publishes_what_is_good_and_reports_the_rest(
    file: str, expected: list[tuple[str, str]], charged: int, airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    conf = {"products": f"file://{CASES / file}", "output": f"file://{tmp_path}/"}
    status, log = airflow.run_dag("product_catalogue", conf)
    assert status == 0, log[-3000:]
    catalogue: list[dict[str, Any]] = json.loads((tmp_path / "catalogue.json").read_bytes())
    assert [(row["sku"], row["status"]) for row in catalogue] == expected
    for row in catalogue:
        for step in ("generated", "upscaled", "resized"):
            assert len(row[step]) == (row["status"] == "done")
        assert bool(row["reason"]) == (row["status"] == "invalid")
    paths = [path for row in catalogue for path in row["resized"]]
    assert len(set(paths)) == len(paths)
    assert own_sandbox.charged() == charged


def test_a_product_that_fails_is_reported_and_the_others_are_published_before_the_run_fails(
    airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("sku,name,kind,details\nA-1,Lamp,lamp,brass\nnan,Vase,vase,clay\n")
    conf = {"products": f"file://{tmp_path}/a.csv", "output": f"file://{tmp_path}/out/"}
    status, log = airflow.run_dag("product_catalogue", conf)
    assert status != 0
    assert "1 products failed: nan" in log
    catalogue = json.loads((tmp_path / "out" / "catalogue.json").read_bytes())
    assert [(row["sku"], row["status"]) for row in catalogue] == [("A-1", "done"), ("nan", "failed")]
    assert own_sandbox.charged() == 3


@pytest.mark.parametrize(
    ("file", "published"),
    [
        ("backslash_quotes.csv", ["M1", "M2"]),
        ("escaped_commas.csv", ["E1", "E2"]),
        ("long_other_column.csv", ["L1", "L2"]),
        ("long_other_column_with_newlines.csv", ["L1", "L2"]),
    ],
)
def test_the_catalogue_by_days_reads_each_file_as_it_is_written(
    file: str, published: list[str], airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    shutil.copy(CASES / file, tmp_path / "2026-03-01.csv")
    shown = _backfilled(airflow, tmp_path)
    assert [product["sku"] for product in shown] == published
    assert own_sandbox.charged() == 3 * len(published)


def test_the_catalogue_by_days_publishes_the_others_of_a_bad_row(
    airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "2026-03-01.csv").write_text("sku,prompt\nCH/1,A chair\nLT-1,A lamp\nLT-1,A vase\nLT-2,nan\n")
    assert [product["sku"] for product in _backfilled(airflow, tmp_path)] == ["LT-1"]
    assert own_sandbox.charged() == 3


def _backfilled(airflow: Airflow, folder: Path) -> list[dict[str, Any]]:
    conf = json.dumps({"catalogue": f"file://{folder}/", "output": f"file://{folder}/out/"})
    done = airflow("dags", "test", "backfill_catalogue", "2026-03-01", "--conf", conf)
    target = folder / "out" / "2026-03-01.json"
    assert target.exists(), (done.stdout + done.stderr)[-3000:]
    shown: list[dict[str, Any]] = json.loads(target.read_bytes())
    return shown
