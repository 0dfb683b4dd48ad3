"""A second chance for blocked prompts: each fallback is asked once, in order, and what all cost is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import ObjectStoragePath

from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.sandbox import Sandbox
from tests.unit.operators.conftest import NewTry, new_try

__all__ = ["new_try"]


def batch(folder: Path, **parameters: Any) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(
        **{"task_id": "pictures", "output": f"file://{folder}/", "error_threshold": 1, **parameters}
    )


def rows_of(summary: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ObjectStoragePath(summary["manifest"]).read_bytes().splitlines()]


def blocked(number: int) -> dict[str, str]:
    return {"prompt": f"A nsfw poster, number {number}", "name": f"P-{number}"}


def test_fifty_blocked_prompts_with_a_fallback_that_passes(tmp_path: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    prompts = [{**blocked(number), "fallback_prompt": f"A calm poster, number {number}"} for number in range(50)]
    summary = new_try()(batch(tmp_path, prompts=prompts))
    assert (summary["done"], summary["blocked"], summary["images"]) == (50, 0, 50)
    assert summary["credits"] == sandbox.charged() == 100
    for number, row in enumerate(rows_of(summary)):
        assert (row["name"], row["credits"], row["fallback"]) == (f"P-{number}", 2, 1)
        assert row["prompt"] == f"A calm poster, number {number}"
        assert (tmp_path / f"P-{number}_1.png").is_file()
    again = new_try(run_id="tuesday")(batch(tmp_path, prompts=prompts))
    assert (again["reused"], again["credits"], sandbox.charged()) == (50, 0, 100)


def test_fifty_blocked_prompts_with_a_fallback_that_is_blocked_too(
    tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    prompts = [{**blocked(number), "fallback_prompt": f"Another nsfw poster, {number}"} for number in range(50)]
    summary = new_try()(batch(tmp_path, prompts=prompts))
    assert (summary["done"], summary["blocked"], summary["images"]) == (0, 50, 0)
    assert summary["credits"] == sandbox.charged() == 100
    assert [row["credits"] for row in rows_of(summary)] == [2] * 50
    again = new_try(run_id="tuesday")(batch(tmp_path, prompts=prompts))
    assert (again["blocked"], again["credits"], sandbox.charged()) == (50, 0, 100)


def test_fallbacks_are_tried_in_order_and_only_as_far_as_they_are_needed(
    tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    fallbacks = ["A nsfw banner", "A calm banner", "A quiet banner"]
    prompts = [{"prompt": "A lamp", "name": "L"}, blocked(1)]
    summary = new_try()(batch(tmp_path, prompts=prompts, fallback_prompt=fallbacks))
    assert (summary["done"], summary["credits"], sandbox.charged()) == (2, 4, 4)
    lamp, poster = rows_of(summary)
    assert (lamp["prompt"], lamp["credits"]) == ("A lamp", 1)
    assert (poster["prompt"], poster["fallback"], poster["credits"]) == ("A calm banner", 2, 3)


def test_a_dry_run_names_what_fallbacks_may_cost(tmp_path: Path, new_try: NewTry) -> None:
    told = new_try()(batch(tmp_path, prompts=["A lamp", "A sofa"], fallback_prompt="A calm room", dry_run=True))
    assert (told["credits"], told["most_credits"]) == (2, 4)


def test_a_fallback_added_later_is_asked_without_asking_the_first_again(
    tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    assert new_try()(batch(tmp_path, prompts=[blocked(1)]))["blocked"] == 1
    told = new_try()(batch(tmp_path, prompts=[blocked(1)], fallback_prompt="A calm poster", dry_run=True))
    summary = new_try(run_id="tuesday")(batch(tmp_path, prompts=[blocked(1)], fallback_prompt="A calm poster"))
    assert (summary["done"], summary["credits"], sandbox.charged()) == (1, 1, 2)
    assert told["credits"] == 1


@pytest.mark.parametrize("fallback", ["x", {"prompt": "A calm poster"}, 7, ["A calm poster", "x"]])
def test_a_wrong_fallback_is_refused_before_anything_is_paid(
    fallback: object, tmp_path: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    row = {**blocked(1), "fallback_prompt": fallback}
    summary = new_try()(batch(tmp_path, prompts=[row, "A lamp"]))
    assert (summary["invalid"], summary["done"], sandbox.charged()) == (1, 1, 1)
    assert "fallback_prompt" in rows_of(summary)[0]["error"]
    if not isinstance(fallback, (str, list)):
        with pytest.raises(AirflowFailException, match="fallback_prompt"):
            batch(tmp_path, prompts=["A lamp"], fallback_prompt=fallback)
