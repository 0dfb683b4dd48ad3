"""Catalogues as they come: the files of ``tests/data/cases``, through the operators and the decorator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_claid.batch.items import Items
from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.unit.operators.conftest import NewTry, new_try

__all__ = ["new_try"]

CASES = Path(__file__).parents[2] / "data" / "cases"
CLOCK = 'A wall clock of 30", oak frame, on a grey wall'
JUG = "A white jug of stoneware"


def outcome(run: Any, **parameters: Any) -> list[tuple[str, str, str]]:
    """The name, the status and the prompt of each row of a batch's manifest."""
    operator = ImageGenerationBatchOperator(task_id="pictures", error_threshold=1, **parameters)
    lines = ObjectStoragePath(run(operator)["manifest"]).read_bytes().splitlines()
    return [(row["name"], row["status"], row["prompt"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize(
    ("file", "columns", "expected"),
    [
        (
            "duplicate_sku.csv",
            {"name": "sku", "prompt": "name"},
            [("CH-2001", "done"), ("CH-2001", "invalid"), ("LT-3001", "done")],
        ),
        ("sku_with_slash.csv", {"name": "sku", "prompt": "name"}, [("CH/2001", "invalid"), ("LT-3001", "done")]),
        ("bom.csv", {"name": "sku", "prompt": "name"}, [("CH-2001", "done")]),
        ("backslash_quotes.csv", {"name": "sku"}, [("M1", "done"), ("M2", "done")]),
        ("escaped_commas.csv", {"name": "sku"}, [("E1", "done"), ("E2", "done")]),
        ("long_other_column.csv", {"name": "sku"}, [("L1", "done"), ("L2", "done")]),
        ("long_other_column_with_newlines.csv", {"name": "sku"}, [("L1", "done"), ("L2", "done")]),
    ],
)
def test_a_file_as_it_comes_is_read_row_by_row_and_each_picture_stands_under_its_own_product(
    file: str,
    columns: dict[str, str],
    expected: list[tuple[str, str]],
    sandbox: Sandbox,
    new_try: NewTry,
    tmp_path: Path,
) -> None:
    got = outcome(new_try(), prompts=f"file://{CASES / file}", columns=columns, output=f"file://{tmp_path}/")
    assert [(name, status) for name, status, _ in got] == expected
    done = [name for name, status, _ in got if status == "done"]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(f"{name}_1.png" for name in done)
    assert sandbox.charged() == len(done)


@pytest.mark.parametrize(
    ("file", "prompts"),
    [
        ("backslash_quotes.csv", [CLOCK, "A plain oak shelf, three boards"]),
        ("escaped_commas.csv", ["A rug, hand-woven, ochre", "A plain linen cloth"]),
        ("long_other_column.csv", [JUG, "A blue jug of stoneware"]),
        ("long_other_column_with_newlines.csv", [JUG, "A blue jug of stoneware"]),
    ],
)
def test_no_prompt_is_cut(file: str, prompts: list[str]) -> None:
    assert [row.values.get("prompt") for row in Items(f"file://{CASES / file}")] == prompts


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (None, None),
        ({"name": "sku"}, None),
        (
            {"name": 0, "prompt": 1},
            [("CH-2001", "A green velvet armchair, oak legs"), ("LT-3001", "A table lamp of white glass")],
        ),
        ({"prompt": 1}, [(None, "A green velvet armchair, oak legs"), (None, "A table lamp of white glass")]),
    ],
)
@pytest.mark.parametrize("kind", [list, tuple])
def test_rows_of_a_query_are_read_by_position_or_refused_before_anything_is_paid(
    kind: Callable[[Any], Any],
    columns: Any,
    expected: list[tuple[str | None, str]] | None,
    sandbox: Sandbox,
    new_try: NewTry,
    tmp_path: Path,
) -> None:
    given = [kind(row) for row in json.loads((CASES / "tuples_of_sql.json").read_text())]
    parameters = {"prompts": given, "columns": columns, "output": f"file://{tmp_path}/"}
    if expected is None:
        with pytest.raises(AirflowFailException, match=r"a row of values without names.*columns=\{'prompt': 1"):
            outcome(new_try(), **parameters)
        assert sandbox.charged() == 0
    else:
        assert [(name, prompt) for name, _, prompt in outcome(new_try(), **parameters)] == expected
        assert sandbox.charged() == 2


def test_a_list_of_addresses_is_one_catalogue(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    given = [
        address.replace("/data/export", str(tmp_path))
        for address in json.loads((CASES / "addresses_of_parts.json").read_text())
    ]
    for number, address in enumerate(given):
        sku = "sku,prompt" if number else "prompt,sku"
        row = f"P-{number},A lamp number {number}" if number else f"A lamp number {number},P-{number}"
        Path(address.removeprefix("file://")).write_text(f"{sku}\n{row}\n")
    parameters = {"columns": {"name": "sku"}, "output": f"file://{tmp_path}/out/"}
    for prompts in (given, [ObjectStoragePath(address) for address in given]):
        got = outcome(new_try(), prompts=prompts, **parameters)
        assert got == [("P-0", "done", "A lamp number 0"), ("P-1", "done", "A lamp number 1")]
    assert sandbox.charged() == 2
    with pytest.raises(AirflowFailException, match=r"part-00002\.csv' does not exist"):
        outcome(new_try(), prompts=[*given, f"file://{tmp_path}/part-00002.csv"], **parameters)
    assert sandbox.charged() == 2


NUL = json.loads((CASES / "nul_in_prompt.json").read_text())
ADDRESS = json.loads((CASES / "addresses_of_parts.json").read_text())[0]


@pytest.mark.parametrize("prompt", [NUL, ADDRESS, ["CH-2001", "A chair"], "None", "nan", "\u200b\u200b\u200b"])
def test_a_slip_is_refused_by_the_single_operator_and_the_decorator(
    prompt: Any, sandbox: Sandbox, new_try: NewTry
) -> None:
    with pytest.raises(AirflowFailException, match="prompt"):
        ImageGenerationOperator(task_id="pictures", prompt=prompt)
    templated = ImageGenerationOperator(task_id="pictures", prompt="{{ x }}")
    templated.prompt = prompt
    with pytest.raises(AirflowFailException, match="prompt"):
        new_try()(templated)

    def returned() -> list[Any]:
        return ["A good lamp", prompt]

    with DAG("shop", schedule=None):
        decorated = task.claid_image()(returned)().operator
    with pytest.raises(AirflowFailException, match="prompt"):
        new_try()(decorated)
    assert sandbox.charged() == 0


def test_a_nul_in_one_row_stops_no_other(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    got = outcome(new_try(), prompts=["A lamp", NUL, "A sofa"], output=f"file://{tmp_path}/")
    assert [status for _, status, _ in got] == ["done", "invalid", "done"]
    assert sandbox.charged() == 2
