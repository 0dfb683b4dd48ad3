from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.batch import read_rows
from airflow_claid.operators import ImageGenerationBatchOperator, ImageUpscaleBatchOperator
from airflow_claid.sandbox import Sandbox
from tests.support.one_attempt import TaskInstance
from tests.unit.cli.conftest import Claid

ROWS = [
    ("a red chair", "A", 1),
    ('a "blocked-example" chair,\nof wood', "B", 2),
    ("no", "C", 1),
    ("a failing chair", "D", 1),
]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    file = tmp_path / "products.csv"
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([("prompt", "name", "number_of_images"), *ROWS])
    return file


def generated(items: Path, output: Path, **parameters: Any) -> Path:
    """Run a batch and return its manifest."""
    fixed = {"task_id": "t", "prompts": f"file://{items}", "output": f"file://{output}/", "error_threshold": 1}
    summary = ImageGenerationBatchOperator(**fixed, **parameters).execute({"ti": TaskInstance(1)})  # type: ignore[typeddict-item]
    return Path(summary["manifest"].removeprefix("file://"))


@pytest.fixture
def manifest(connected: Sandbox, catalogue: Path, tmp_path: Path) -> Path:
    """Of a batch with an item that is done, one blocked, one invalid, and one that failed."""
    connected.fault("500", prompt="failing")
    return generated(catalogue, tmp_path / "made", on_lost_response="fail")


def test_a_manifest_is_counted(manifest: Path, command: Claid) -> None:
    ended = command("manifest", "show", str(manifest), "--json")
    counts = {name: ended.json[name] for name in ("rows", "done", "blocked", "invalid", "failed", "images", "credits")}
    assert counts == {"rows": 4, "done": 1, "blocked": 1, "invalid": 1, "failed": 1, "images": 1, "credits": 3}
    assert [error["first_row"] for error in ended.json["errors"]] == [3, 4]
    assert (ended.code, ended.json["credits_in_doubt"], ended.json["rows_in_doubt"]) == (1, 1, 1)
    assert "on_lost_response" in command("manifest", "show", str(manifest)).out


def test_rows_of_a_status_are_listed(manifest: Path, command: Claid) -> None:
    ended = command("manifest", "show", str(manifest), "--status", "done", "--status", "blocked", "--json")
    assert [(row["row"], row["name"]) for row in ended.lines] == [(1, "A"), (2, "B")]
    assert ended.lines[0]["paths"] == [f"file://{manifest.parent}/A_1.png"]


def test_products_of_a_chain_are_joined(manifest: Path, tmp_path: Path, command: Claid) -> None:
    upscale = {"task_id": "u", "input": f"file://{manifest}", "scale": 2, "output": f"file://{tmp_path}/large/"}
    summary = ImageUpscaleBatchOperator(**upscale).execute({"ti": TaskInstance(1)})  # type: ignore[typeddict-item, arg-type]
    ended = command("manifest", "join", summary["manifest"], str(manifest), "--json")
    assert {row["name"]: row["status"] for row in ended.lines} == {
        "A": "done",
        "B": "blocked",
        "C": "invalid",
        "D": "failed",
    }
    assert (ended.code, ended.lines[0]["credits"], len(ended.lines[0]["steps"])) == (1, 2, 2)
    done = command("manifest", "join", summary["manifest"], str(manifest), "--status", "done")
    assert [line.split()[0] for line in done.out.splitlines()] == ["NAME", "A"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_what_is_to_be_tried_again_is_a_file_that_a_batch_takes(
    suffix: str, manifest: Path, catalogue: Path, tmp_path: Path, connected: Sandbox, command: Claid
) -> None:
    retry = tmp_path / f"retry{suffix}"
    ended = command("manifest", "retry-list", str(manifest), "--to", str(retry), "--items", str(catalogue), "--json")
    assert (ended.code, ended.json) == (0, {"file": f"file://{retry}", "rows": 2})
    rows = [row.values for row in read_rows(f"file://{retry}")]
    assert [(row["prompt"], row["name"], str(row["number_of_images"])) for row in rows] == [
        (prompt, name, str(number)) for prompt, name, number in (ROWS[1], ROWS[3])
    ]
    again = generated(retry, tmp_path / "made")
    assert [json.loads(line)["status"] for line in again.read_text().splitlines()] == ["blocked", "done"]
    assert sum(entry.credits for entry in connected.ledger()) == 1 + 2 + 1, "what was paid for is not paid again"


def test_without_the_items_the_list_has_what_the_manifest_knows(manifest: Path, tmp_path: Path, command: Claid) -> None:
    retry = tmp_path / "retry.csv"
    words = ("manifest", "retry-list", str(manifest), "--to", str(retry))
    assert command(*words, "--status", "failed", "--json").json["rows"] == 1
    assert [dict(row.values) for row in read_rows(f"file://{retry}")] == [{"name": "D", "prompt": "a failing chair"}]
    assert command(*words, "--status", "gone", "--json").json["rows"] == 0


def test_an_item_in_doubt_is_to_be_tried_again(manifest: Path, tmp_path: Path, command: Claid) -> None:
    (row,) = command("manifest", "show", str(manifest), "--status", "in-doubt", "--json").lines
    assert (row["name"], row["credits"], row["credits_in_doubt"]) == ("D", 0, 1)
    words = ("retry-list", str(manifest), "--to", str(tmp_path / "retry.csv"), "--status", "in-doubt", "--json")
    assert command("manifest", *words).json["rows"] == 1


def test_a_fallback_prompt_is_not_taken_for_the_items_own(connected: Sandbox, tmp_path: Path, command: Claid) -> None:
    items = tmp_path / "items.csv"
    items.write_text("prompt,name\nblocked-example chair,A\n")
    manifest = generated(items, tmp_path / "made", fallback_prompt="another blocked-example chair")
    words = ("manifest", "retry-list", str(manifest), "--to", str(tmp_path / "retry.csv"))
    refused = command(*words)
    assert (refused.code, "fallback" in refused.err) == (2, True)
    assert command(*words, "--items", str(items)).code == 0
    (row,) = read_rows(f"file://{tmp_path}/retry.csv")
    assert row.values["prompt"] == "blocked-example chair"


def test_items_of_another_batch_are_refused(manifest: Path, tmp_path: Path, command: Claid) -> None:
    other = tmp_path / "other.csv"
    for content in ("prompt,name\na red chair,A\n", "prompt,name\n1 chair,A\n2 chairs,B\n3 chairs,C\n4 chairs,D\n"):
        other.write_text(content)
        ended = command(
            "manifest", "retry-list", str(manifest), "--to", str(tmp_path / "retry.csv"), "--items", str(other)
        )
        assert (ended.code, "not the file that the batch" in ended.err) == (2, True)
    assert not (tmp_path / "retry.csv").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nowhere.jsonl"), "nowhere.jsonl"),
        (("show", "products.csv"), "is no manifest"),
        (("join", "nowhere.jsonl"), "nowhere.jsonl"),
        (("retry-list", "made.jsonl"), "--to"),
        (("retry-list", "made.jsonl", "--to", "retry.txt"), ".csv or a .jsonl"),
    ],
)
def test_bad_input_is_told_without_a_traceback(
    words: tuple[str, ...], said: str, catalogue: Path, command: Claid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(catalogue.parent)
    ended = command("manifest", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
