"""The XCom ``bill``: what all tries of a task have paid, whatever became of them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import ObjectStoragePath

from airflow_claid.fulfilment.bill import Sums, sums_in
from airflow_claid.operators import ImageEditOperator, ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.support.deferring import run_through
from tests.support.pictures import picture
from tests.unit.operators.conftest import NewTry, TaskRun


def billed(run: TaskRun) -> Sums:
    """Return the sums of the bill that a try pushed."""
    total = Sums()
    for _, _, sums in sums_in(json.loads(json.dumps(run.ti.pushed["bill"]))):
        total += sums
    return total


def batch(folder: Path, **parameters: Any) -> ImageGenerationBatchOperator:
    prompts = [f"Lamp number {count}" for count in range(1, 6)]
    return ImageGenerationBatchOperator(
        task_id="pictures", **{"prompts": prompts, "output": f"file://{folder}/", **parameters}
    )


def test_a_retry_of_a_batch_bills_what_the_first_try_paid(new_try: NewTry, sandbox: Sandbox, tmp_path: Path) -> None:
    first, second, other = new_try(), new_try(try_number=2), new_try(run_id="tuesday")
    summary = first(batch(tmp_path))
    rows = [json.loads(line) for line in ObjectStoragePath(summary["manifest"]).read_bytes().splitlines()]
    assert [(charge["by"], charge["credits"]) for row in rows for charge in row["charges"]] == [
        ("shop/monday/pictures", 1.0)
    ] * 5
    second(batch(tmp_path))
    other(batch(tmp_path))
    assert billed(first) == billed(second) == Sums(credits=5.0, pictures=5)
    assert billed(other) == Sums(reused=5.0)
    assert sandbox.charged() == 5


def test_a_batch_that_stops_bills_what_it_paid_and_its_retry_everything(
    new_try: NewTry, sandbox: Sandbox, tmp_path: Path
) -> None:
    first, second = new_try(), new_try(try_number=2)
    with pytest.raises(Exception, match="max_credits"):
        first(batch(tmp_path, max_credits=3))
    assert billed(first) == Sums(credits=3.0, pictures=3)
    second(batch(tmp_path))
    assert billed(second) == Sums(credits=5.0, pictures=5)
    assert sandbox.charged() == 5


def test_a_task_that_fails_bills_what_it_paid(new_try: NewTry, sandbox: Sandbox, tmp_path: Path) -> None:
    first, second = new_try(), new_try(try_number=2)
    lamp = partial(ImageGenerationOperator, task_id="pictures", prompt="A lamp", output=f"file://{tmp_path}/")
    sandbox.fault("expired", operation="download", probability=1)
    with pytest.raises(AirflowFailException, match="link is dead"):
        first(lamp())
    assert billed(first) == Sums(credits=1.0)
    sandbox.clear_faults()
    second(lamp())
    assert billed(second) == Sums(credits=1.0, pictures=1)
    assert sandbox.charged() == 1


def test_a_wait_in_the_triggerer_bills_the_job_once(new_try: NewTry, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(picture())
    generated = new_try(task_id="generate")(ImageGenerationOperator(task_id="generate", prompt="A vase"))
    run = new_try()
    edit = partial(
        ImageEditOperator,
        task_id="pictures",
        input=generated[0],
        operations={"resizing": {"width": 9}},
        output=f"file://{tmp_path}/small/",
        deferrable=True,
        poll_interval=0.1,
    )
    run_through(edit, {"ti": run.ti})
    assert billed(run) == Sums(credits=sandbox.charged() - 1, pictures=1)
    assert run.ti.pushed["bill"]["connection"] == "claid_default"


def test_a_blocked_picture_and_a_429_are_in_the_bill(new_try: NewTry, sandbox: Sandbox, tmp_path: Path) -> None:
    run = new_try()
    sandbox.fault("429", operation="generate_image")
    run(
        ImageGenerationOperator(
            task_id="pictures", prompt="A poster, nude study", output=f"file://{tmp_path}/", on_blocked="keep"
        )
    )
    assert billed(run) == Sums(credits=1.0, blocked=1, rate_limited=1)
