from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_claid import operators
from airflow_claid.cli.estimate import _OPERATORS
from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.sandbox import Sandbox
from tests.support.one_attempt import TaskInstance
from tests.unit.cli.conftest import Claid


@pytest.fixture
def catalogue(connected: Sandbox, tmp_path: Path) -> Path:
    file = tmp_path / "products.csv"
    file.write_text("sku,prompt,name\n1,a red chair,A\n2,a green chair,B\n3,no,C\n")
    return file


def test_a_file_is_estimated_as_if_nothing_was_paid_for(catalogue: Path, connected: Sandbox, command: Claid) -> None:
    ended = command("estimate", str(catalogue), "--set", "number_of_images=2", "--json")
    assert (ended.code, ended.json["to_pay"], ended.json["credits"], ended.json["invalid"]) == (1, 2, 4, 1)
    assert [reason["row"] for reason in ended.json["reasons"]] == [1, 2, 3]
    assert [entry for entry in connected.ledger() if entry.credits] == []
    table = command("estimate", str(catalogue)).out
    assert "to_pay" in table
    assert any(line.split()[:2] == ["3", "C"] for line in table.splitlines())


def test_what_is_paid_for_at_the_output_costs_nothing_again(
    catalogue: Path, connected: Sandbox, tmp_path: Path, command: Claid
) -> None:
    output = tmp_path / "made"
    batch = {"prompts": f"file://{catalogue}", "output": f"file://{output}/", "error_threshold": 1}
    ImageGenerationBatchOperator(task_id="t", **batch).execute({"ti": TaskInstance(1)})  # type: ignore[typeddict-item, arg-type]
    catalogue.write_text(catalogue.read_text().replace("3,no,C\n", "4,a blue chair,D\n"))
    ended = command("estimate", str(catalogue), "--output", str(output), "--json")
    assert (ended.code, ended.json["reused"], ended.json["to_pay"], ended.json["credits"]) == (0, 2, 1, 1)


def test_other_operations_are_estimated_with_their_parameters(
    catalogue: Path, connected: Sandbox, tmp_path: Path, command: Claid
) -> None:
    pictures = tmp_path / "pictures.csv"
    pictures.write_text("input\nhttps://shop.test/a.png\nhttps://shop.test/b.png\n")
    edits = command("estimate", str(pictures), "--operation", "upscale", "--set", "scale=2048", "--json")
    assert (edits.code, edits.json["credits"]) == (0, 2)
    options = ("--set", "prompt=make it snow", "--set", "number_of_images=2")
    assert command("estimate", str(pictures), "--operation", "ai_edit", *options, "--json").json["credits"] == 8
    assert (
        command("estimate", str(pictures), "--operation", "video", "--set", "prompt=it turns", "--json").json["credits"]
        == 70
    )


def test_each_batch_operator_can_be_estimated() -> None:
    assert sorted(_OPERATORS.values()) == [name for name in operators.__all__ if name.endswith("BatchOperator")]


def test_the_page_names_each_operation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text(encoding="utf-8")
    [said] = re.findall(r"`--operation` is (.*?);", page, re.DOTALL)
    assert re.findall(r"`(\w+)`", said) == list(_OPERATORS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.csv",), "nowhere.csv"),
        (("products.csv", "--set", "colour=red"), "has no such parameter"),
        (("products.csv", "--set", "colour"), "is not NAME=VALUE"),
        (("products.csv", "--set", "number_of_images=9"), "number_of_images"),
        (("products.csv", "--set", 'columns={"prompt": "Caption"}'), "Caption"),
        (("products.csv", "--set", "number_of_images={{ params.n }}"), "number_of_images"),
        (("products.csv", "--operation", "paint"), "invalid choice"),
    ],
)
def test_bad_input_is_told_without_a_traceback(
    words: tuple[str, ...], said: str, catalogue: Path, command: Claid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(catalogue.parent)
    ended = command("estimate", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
