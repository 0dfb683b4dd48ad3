"""Receipts and manifests that an earlier version wrote serve this one: nothing is asked of Claid, nothing is paid."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator, ImageUpscaleOperator
from tests.conftest import Connect, s3_connection
from tests.unit.operators.conftest import TaskInstance, TaskRun

KEPT = Path(__file__).parents[2] / "data" / "kept"
NOBODY_LISTENS_HERE = "http://127.0.0.1:18765"


@pytest.fixture
def run(s3_client: Any, s3_endpoint: str, connect: Connect) -> TaskRun:
    """A task's try with the bucket as it was, and a Claid that cannot be reached."""
    s3_client.create_bucket(Bucket="kept")
    for file in (KEPT / "bucket").rglob("*.*"):
        s3_client.put_object(Bucket="kept", Key=str(file.relative_to(KEPT / "bucket")), Body=file.read_bytes())
    connect("moto", **s3_connection(s3_endpoint))
    connect("claid_default", conn_type="claid", password="a-key", host=NOBODY_LISTENS_HERE)
    memory: Mapping[str, Any] = json.loads((KEPT / "task_state.json").read_text())
    return TaskRun(TaskInstance(), dict(memory))


def test_pictures_generated_before_are_reused(run: TaskRun) -> None:
    chairs = ImageGenerationOperator(
        task_id="chairs",
        prompt="A green velvet armchair",
        number_of_images=2,
        output="s3://moto@kept/chairs/",
        name="CH-1",
    )
    assert run(chairs) == ["s3://moto@kept/chairs/CH-1_1.png", "s3://moto@kept/chairs/CH-1_2.png"]
    assert run.credits == 0


def test_a_prompt_blocked_before_is_not_asked_again(run: TaskRun) -> None:
    statue = ImageGenerationOperator(
        task_id="chairs", prompt="A blocked nude statue", output="s3://moto@kept/chairs/", on_blocked="skip"
    )
    with pytest.raises(AirflowSkipException):
        run(statue)
    assert run.credits == 0


def test_pictures_edited_before_are_reused(run: TaskRun) -> None:
    chairs = ["s3://moto@kept/chairs/CH-1_1.png", "s3://moto@kept/chairs/CH-1_2.png"]
    large = ImageUpscaleOperator(task_id="large", input=chairs, output="s3://moto@kept/large/")
    assert run(large) == ["s3://moto@kept/large/CH-1_1.jpg", "s3://moto@kept/large/CH-1_2.jpg"]
    assert run.credits == 0


def test_a_batch_finished_before_is_reused_by_its_manifest(run: TaskRun) -> None:
    prompts: list[Any] = [f"Lamp number {number}" for number in range(1, 6)]
    prompts += ["ab", "A blocked nude statue", {"prompt": "A stool", "name": "ST-1"}, "Lamp number 1"]
    lamps = ImageGenerationBatchOperator(
        task_id="lamps", prompts=prompts, output="s3://moto@kept/lamps/", error_threshold=0.9, on_blocked="keep"
    )
    summary = run(lamps)
    counts = {name: summary[name] for name in ("done", "blocked", "invalid", "duplicate", "reused", "credits")}
    assert counts == {"done": 6, "blocked": 1, "invalid": 1, "duplicate": 1, "reused": 7, "credits": 0}


def test_the_parts_of_a_batch_that_was_stopped_before_are_its_rows(run: TaskRun) -> None:
    (batch,) = (KEPT / "bucket" / "shelves" / "_claid" / "batches").iterdir()
    index = ManifestIndex(f"s3://moto@kept/shelves/_claid/batches/{batch.name}/")
    try:
        assert index.by_status() == {"done": 3}
    finally:
        index.close()


def with_what_is_new(facts: dict[str, Any]) -> dict[str, Any]:
    """Add what receipts have had since, at its default."""
    return {**facts, "answer": None, "signed": False, "author": {**facts["author"], "process": ""}}


def test_a_receipt_in_airflows_own_memory_is_read_and_written_as_it_was() -> None:
    kept = json.loads((KEPT / "task_state.json").read_text())
    (facts,) = (value for key, value in kept.items() if key.startswith("claid_receipt_"))
    receipt = Receipt.from_json(facts)
    assert receipt.state is ReceiptState.DELIVERED
    assert receipt.to_json() == with_what_is_new(facts)


@pytest.mark.parametrize("file", sorted((KEPT / "local").iterdir()), ids=lambda file: file.name[:8])
def test_receipts_with_a_line_for_each_state_tell_the_last_one(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path)
    receipt = FolderReceipts(f"file://{tmp_path}/").read(file.stem)
    assert receipt is not None
    expected = {"generate_image": ReceiptState.DELIVERED, "edit_image": ReceiptState.SUBMITTED}
    assert receipt.state is expected[receipt.operation]
    assert len(receipt.images) == (2 if receipt.operation == "generate_image" else 0)


def test_every_receipt_is_written_again_as_it_was_read() -> None:
    for file in (KEPT / "bucket").rglob("_claid/*.json"):
        facts = json.loads(file.read_text())
        assert Receipt.from_json(facts).to_json() == with_what_is_new(facts)
