from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from airflow_claid.batch.intake import Intake
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.storage.listing import list_files
from tests.support.picture_batch import PictureBatch


@pytest.fixture
def batch(tmp_path: Path) -> PictureBatch:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"a")
    return PictureBatch(f"file://{tmp_path}/in/", f"file://{tmp_path}/out/")


def test_a_row_that_is_passed_over_ends_as_skipped_and_is_no_failure(batch: PictureBatch) -> None:
    carried = {"name": "CH-1", "prompt": "A red chair", "from": "s3://shop/chairs.jsonl"}
    rows = [
        ItemRow(1, {"input": "s3://shop/x.jpg"}, "x", carried=carried, passed_over="blocked"),
        ItemRow(2, {}, "y", passed_over="failed", problem="has no input"),
    ]
    counts = batch.run(iter(rows))
    assert batch.lines == [
        {**carried, "fingerprint": None, "status": "skipped", "reason": "blocked", "credits": 0.0, "row": 1},
        {
            "name": "y",
            "prompt": None,
            "fingerprint": None,
            "status": "skipped",
            "reason": "failed",
            "credits": 0.0,
            "row": 2,
        },
    ]
    assert (counts.by_status["skipped"], counts.items, counts.failed, counts.credits) == (2, 2, 0, 0.0)


def test_rows_passed_over_do_not_hide_how_many_of_the_others_failed(batch: PictureBatch) -> None:
    rows = [ItemRow(number, passed_over="blocked") for number in range(1, 10)]
    counts = batch.run(iter([*rows, ItemRow(10, problem="has no input")]))
    assert (counts.failed, counts.share_failed) == (1, 1.0)


def test_facts_of_an_earlier_manifest_go_on_and_none_of_them_replaces_a_result(batch: PictureBatch) -> None:
    batch.carried = {"name": "CH-1", "prompt": "A red chair", "from": "f", "fingerprint": "x", "status": "failed"}
    batch.run()
    (line,) = batch.lines
    assert (line["name"], line["prompt"], line["from"], line["status"]) == ("CH-1", "A red chair", "f", "done")
    assert len(line["fingerprint"]) == 64
    batch.carried = {"name": "CH-2", "prompt": "A red chair", "from": "f"}
    assert batch.run().credits == 0.0
    assert batch.lines[0]["name"] == "CH-2"


def test_the_row_of_a_picture_tells_its_content_and_how_it_was_listed(batch: PictureBatch, tmp_path: Path) -> None:
    batch.run()
    (file,) = list_files(batch.folder)
    (line,) = batch.lines
    assert (line["input"], line["version"], line["listed"]) == (file.uri, "v1", file.state)
    (tmp_path / "in" / "a.jpg").write_bytes(b"a")
    (tmp_path / "in" / "b.jpg").write_bytes(b"b")
    assert batch.run().credits == 1.0
    assert [line["listed"] for line in batch.lines] == [file.state for file in list_files(batch.folder)]


def test_the_signature_of_a_link_is_in_no_row(batch: PictureBatch) -> None:
    link = "https://shop.example/a.jpg?X-Amz-Signature=secret&X-Amz-Expires=60&id=7"
    batch.run(iter([ItemRow(1, {"input": link}), ItemRow(2, {"input": link})]))
    assert [line["status"] for line in batch.lines] == ["done", "duplicate"]
    assert all(line["input"].startswith("https://shop.example/a.jpg?") for line in batch.lines)
    assert "secret" not in json.dumps(batch.lines)


def test_the_intake_keeps_less_than_a_hundred_bytes_of_each_row(batch: PictureBatch, tmp_path: Path) -> None:
    index = ManifestIndex(f"file://{tmp_path}/none/")
    intake = Intake(lambda row: batch.order(row, "v1"), index, lambda row: True)
    intake.take(ItemRow(10_000, {"input": "s3://shop/first.jpg"}))
    tracemalloc.start()
    for number in range(10_000):
        intake.take(ItemRow(number, {"input": f"s3://shop/{number}.jpg"}))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    index.close()
    assert kept < 1_000_000
