"""DAGs that are scheduled by a task's outlets run when it made pictures, not when all were reused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import Asset, AssetAlias

from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.unit.operators.conftest import NewTry, TaskRun

SHOP, ANY = Asset("shop"), AssetAlias("any")


def lamp(output: str | None, prompt: str = "A lamp", **parameters: Any) -> ImageGenerationOperator:
    return ImageGenerationOperator(
        task_id="lamp", prompt=prompt, name="椅子", output=output, outlets=[SHOP, ANY], **parameters
    )


def of_alias(run: TaskRun) -> list[tuple[str, Any]]:
    assert all(event.dest_asset_key.name == event.dest_asset_key.uri for event in run.events[ANY].asset_alias_events)
    return [(event.dest_asset_key.uri, event.extra) for event in run.events[ANY].asset_alias_events]


def test_an_event_has_the_paths_and_an_alias_the_asset_of_the_folder(new_try: NewTry, s3: str) -> None:
    run, operator = new_try(), lamp(f"{s3}/out#1/", number_of_images=2)
    paths = run(operator)
    assert operator.outlets == [SHOP, ANY]
    assert run.events[SHOP].extra == {"paths": paths, "pictures": 2}
    assert of_alias(run) == [(f"{s3}/out%231".replace("moto@", ""), {"paths": paths, "pictures": 2})]


def test_no_event_is_sent_where_all_was_reused(new_try: NewTry, tmp_path: Path, capsys: Any) -> None:
    new_try()(lamp(f"file://{tmp_path}/"))
    run, operator = new_try(run_id="tuesday"), lamp(f"file://{tmp_path}/")
    assert len(run(operator)) == 1
    assert run.credits == 0
    assert operator.outlets == [ANY]
    assert of_alias(run) == []
    assert "the task's outlets get no event" in capsys.readouterr().out


def test_a_retry_announces_what_an_earlier_try_made(new_try: NewTry, tmp_path: Path) -> None:
    first = lamp(f"file://{tmp_path}/", retries=2)
    new_try()(first)
    retry, operator = new_try(try_number=2), lamp(f"file://{tmp_path}/", retries=2)
    retry(operator)
    assert retry.credits == 0
    assert operator.outlets == [SHOP, ANY]
    assert len(of_alias(retry)) == 1
    cleared, operator = new_try(try_number=3, max_tries=4), lamp(f"file://{tmp_path}/", retries=2)
    cleared(operator)
    assert operator.outlets == [ANY]


def test_no_event_has_a_link_that_expires(new_try: NewTry) -> None:
    run = new_try()
    run(lamp(None))
    assert run.events[SHOP].extra == {"paths": [], "pictures": 1}
    assert of_alias(run) == []


def test_no_event_is_sent_where_all_was_blocked(new_try: NewTry, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.change(blocked_words=("nude",))
    operator = lamp(f"file://{tmp_path}/", prompt="A nude", on_blocked="keep")
    assert new_try()(operator) == []
    assert operator.outlets == [ANY]


def batch(folder: Path, prompts: list[str], **parameters: Any) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(
        task_id="lamps", prompts=prompts, output=f"file://{folder}/", outlets=[SHOP, ANY], **parameters
    )


def test_the_event_of_a_batch_has_its_manifest(new_try: NewTry, tmp_path: Path) -> None:
    run, operator = new_try(), batch(tmp_path, ["A lamp", "A chair"])
    summary = run(operator)
    extra = run.events[SHOP].extra
    assert extra["manifest"] == summary["manifest"]
    assert extra["pictures"] == len(extra["paths"]) == 2
    assert of_alias(run) == [(f"file://{tmp_path}", extra)]
    again = batch(tmp_path, ["A lamp", "A chair"])
    assert new_try(run_id="tuesday")(again)["reused"] == 2
    assert again.outlets == [ANY]
    more, run = batch(tmp_path, ["A lamp", "A chair", "A vase"]), new_try(run_id="wednesday")
    assert run(more)["reused"] == 2
    assert more.outlets == [SHOP, ANY]


def test_a_dry_run_sends_no_event(new_try: NewTry, tmp_path: Path) -> None:
    run, operator = new_try(), batch(tmp_path, ["A lamp"], dry_run=True)
    run(operator)
    assert operator.outlets == [ANY]


def test_an_outlet_that_cannot_be_told_fails_no_paid_task(
    new_try: NewTry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __getitem__(self, outlet: Any) -> Any:
            raise AirflowException("no such asset")

    run = new_try()
    run.events = Broken()  # type: ignore[assignment]
    assert len(run(lamp(f"file://{tmp_path}/"))) == 1
    assert "The asset event of 'shop' is incomplete (AirflowException: no such asset)" in caplog.text


@pytest.mark.parametrize("retries", [0, 2])
def test_the_first_try_of_a_run_is_no_later_try(new_try: NewTry, tmp_path: Path, retries: int) -> None:
    new_try()(lamp(f"file://{tmp_path}/"))
    operator = lamp(f"file://{tmp_path}/", retries=retries)
    new_try(max_tries=retries)(operator)
    assert operator.outlets == [ANY]
