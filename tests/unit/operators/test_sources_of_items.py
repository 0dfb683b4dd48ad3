"""Each source of items through an operator: whole, empty and cut off, with the credits that each costs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from pyarrow import parquet

from airflow_claid.operators import ImageGenerationBatchOperator, ImageResizeBatchOperator
from airflow_claid.sandbox import Sandbox
from tests.support.pictures import picture
from tests.unit.operators.conftest import NewTry

NUMBERS = (1, 2, 3)
KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
Build = Callable[[Any, Path], Any]


def generation(source: Any, folder: Path) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(
        task_id="pictures", prompts=source, output=f"file://{folder}/out/", error_threshold=0.5
    )


def resize(source: Any, folder: Path) -> ImageResizeBatchOperator:
    return ImageResizeBatchOperator(
        task_id="pictures", input=source, width=8, output=f"file://{folder}/out/", error_threshold=0.5
    )


def values(operation: str, folder: Path) -> list[str]:
    """Return three items: prompts, or paths of pictures that are written here."""
    if operation == "prompt":
        return [f"A lamp of oak, number {number}" for number in NUMBERS]
    (folder / "photos").mkdir()
    for number in NUMBERS:
        (folder / f"photos/{number}.png").write_bytes(picture(64, 64, (number * 70, 90, 120)))
    return [f"file://{folder}/photos/{number}.png" for number in NUMBERS]


def content_of(kind: str, column: str, items: list[str], folder: Path) -> bytes:
    if kind == ".parquet":
        parquet.write_table(pa.table({"sku": [f"L-{number}" for number in NUMBERS], column: items}), folder / "table")
        return (folder / "table").read_bytes()
    rows = [{"sku": f"L-{number}", column: item} for number, item in zip(NUMBERS, items, strict=True)]
    if kind in (".jsonl", ".ndjson"):
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    mark = "\t" if kind == ".tsv" else ","
    return "".join(f'{a}{mark}"{b}"\n' for a, b in [("sku", column), *(row.values() for row in rows)]).encode()


OPERATIONS: dict[str, Build] = {"prompt": generation, "input": resize}


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", OPERATIONS)
def test_a_file_costs_a_credit_for_each_of_its_rows(
    column: str, kind: str, packed: str, tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    content = content_of(kind, column, values(column, tmp_path), tmp_path)
    file = tmp_path / f"items{kind}{packed}"
    file.write_bytes(gzip.compress(content) if packed else content)
    address = f"file://{file}"
    for run_id, source in (("a", address), ("b", [address]), ("c", address.replace("items", "item*"))):
        summary = new_try(run_id=run_id)(OPERATIONS[column](source, tmp_path))
        assert summary["done"] == summary["items"] == len(NUMBERS), source
    assert sandbox.charged() == len(NUMBERS), "the same items from the same file were paid for again"


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", OPERATIONS)
def test_an_empty_file_is_no_item_or_refused_and_costs_nothing(
    column: str, kind: str, packed: str, tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    file = tmp_path / f"items{kind}{packed}"
    file.write_bytes(b"")
    operator = OPERATIONS[column](f"file://{file}", tmp_path)
    if kind in (".jsonl", ".ndjson") and not packed:
        assert new_try()(operator)["items"] == 0, "a query without results writes such a file"
    else:
        with pytest.raises(AirflowFailException, match=rf"items\{kind}.* (has no header|is not a complete)"):
            new_try()(operator)
    assert sandbox.charged() == 0


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", OPERATIONS)
def test_a_file_that_is_cut_off_costs_nothing_for_what_is_not_whole(
    column: str, kind: str, packed: str, tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    content = content_of(kind, column, values(column, tmp_path), tmp_path)
    file = tmp_path / f"items{kind}{packed}"
    file.write_bytes((gzip.compress(content) if packed else content)[:-5])
    operator = OPERATIONS[column](f"file://{file}", tmp_path)
    if packed or kind == ".parquet":
        with pytest.raises(AirflowFailException, match=rf"items\{kind}.* is not a complete"):
            new_try()(operator)
        assert sandbox.charged() == 0
    else:
        summary = new_try()(operator)
        assert (summary["done"], summary["invalid"]) == (len(NUMBERS) - 1, 1), "the last row is not whole"
        assert sandbox.charged() == len(NUMBERS) - 1


@pytest.mark.parametrize("column", OPERATIONS)
def test_a_glob_that_matches_nothing_says_so_and_costs_nothing(
    column: str, tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    values("input", tmp_path)
    with pytest.raises(AirflowFailException, match=r"\*\.csv' matches none of the 3 files below"):
        new_try()(OPERATIONS[column](f"file://{tmp_path}/photos/*.csv", tmp_path))
    assert sandbox.charged() == 0


@pytest.mark.parametrize("form", ["folder", "glob", "list", "rows", "manifest"])
def test_pictures_come_from_a_folder_a_glob_a_list_rows_or_a_manifest(
    form: str, tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    paths = values("input", tmp_path)
    folder = f"file://{tmp_path}/photos/"
    sources: dict[str, Any] = {
        "folder": folder,
        "glob": f"{folder}*.png",
        "list": paths,
        "rows": [{"input": path, "width": 8} for path in paths],
    }
    if form == "manifest":
        enlarged = ImageResizeBatchOperator(task_id="first", input=folder, width=16, output=f"file://{tmp_path}/first/")
        sources["manifest"] = new_try(task_id="first")(enlarged)["manifest"]
    before = sandbox.charged()
    summary = new_try()(resize(sources[form], tmp_path))
    assert summary["done"] == len(NUMBERS)
    assert sandbox.charged() - before == len(NUMBERS)
