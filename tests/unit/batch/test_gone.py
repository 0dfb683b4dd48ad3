from __future__ import annotations

from pathlib import Path

import pytest

from airflow_claid.batch.gone import gone_rows
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest_index import ManifestIndex
from tests.support.picture_batch import PictureBatch


@pytest.fixture
def batch(tmp_path: Path) -> PictureBatch:
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "in" / f"{name}.jpg").write_bytes(name.encode())
    return PictureBatch(f"file://{tmp_path}/in/", f"file://{tmp_path}/out/")


def statuses(batch: PictureBatch) -> list[tuple[int, str, str]]:
    return [(line["row"], line["name"], line["status"]) for line in batch.lines]


def test_a_picture_that_was_removed_is_gone_and_its_row_and_its_paths_stay(batch: PictureBatch, tmp_path: Path) -> None:
    batch.run()
    before = batch.lines[1]
    (tmp_path / "in" / "b.jpg").unlink()
    counts = batch.run()
    assert statuses(batch) == [(1, "a", "done"), (2, "c", "done"), (3, "b", "gone")]
    assert batch.lines[2] == {**before, "row": 3, "status": "gone", "was": "done"}
    assert batch.lines[2]["paths"] == [f"file://{tmp_path}/out/b.png"]
    assert (counts.by_status["gone"], counts.items, counts.failed, counts.share_failed) == (1, 2, 0, 0.0)
    assert (counts.images, counts.reused, counts.credits) == (2, 2, 0.0)
    assert f"file://{tmp_path}/out/b.png" not in batch.paths
    batch.run()
    assert statuses(batch)[2:] == [(3, "b", "gone")]
    assert batch.lines[2]["was"] == "done"


def test_a_picture_that_comes_back_is_reused_for_nothing(batch: PictureBatch, tmp_path: Path) -> None:
    batch.run()
    (tmp_path / "in" / "b.jpg").rename(tmp_path / "b.jpg")
    batch.run()
    batch.run()
    (tmp_path / "b.jpg").rename(tmp_path / "in" / "b.jpg")
    counts = batch.run()
    assert statuses(batch) == [(1, "a", "done"), (2, "b", "done"), (3, "c", "done")]
    assert "was" not in batch.lines[1]
    assert (counts.reused, counts.credits, batch.paid) == (3, 0.0, ["a.jpg", "b.jpg", "c.jpg"])


def test_a_picture_that_comes_back_when_its_result_was_removed_is_paid_again(
    batch: PictureBatch, tmp_path: Path
) -> None:
    batch.run()
    (tmp_path / "in" / "b.jpg").rename(tmp_path / "b.jpg")
    batch.run()
    (tmp_path / "b.jpg").rename(tmp_path / "in" / "b.jpg")
    batch.still_there = lambda row: row["name"] != "b"
    batch.run()
    assert statuses(batch) == [(1, "a", "done"), (2, "b", "done"), (3, "c", "done")]
    assert batch.paid[3:] == ["b.jpg"]


def test_a_batch_without_any_row_ends_and_all_is_gone(batch: PictureBatch) -> None:
    batch.run()
    assert batch.run(iter(())).by_status == {"gone": 3}
    assert statuses(batch) == [(1, "a", "gone"), (2, "b", "gone"), (3, "c", "gone")]


def test_what_nobody_knows_to_be_gone_is_not_called_so(batch: PictureBatch, tmp_path: Path) -> None:
    batch.run()
    index = ManifestIndex(f"file://{tmp_path}/none/", f"{batch.output}manifest.jsonl")
    answers = {f"{batch.folder}a.jpg": False, f"{batch.folder}b.jpg": True}
    assert [row["name"] for row in gone_rows(index, answers.get)] == ["a"]
    index.close()


def test_a_batch_of_a_part_of_the_pictures_calls_none_gone(batch: PictureBatch, tmp_path: Path) -> None:
    batch.run()
    (tmp_path / "in" / "b.jpg").unlink()
    assert batch.run(listed=False).by_status == {"done": 2}


def test_an_attempt_that_had_more_rows_leaves_none_behind(batch: PictureBatch, tmp_path: Path) -> None:
    def stops() -> object:
        yield from batch.rows()
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        batch.run(stops())  # type: ignore[arg-type]
    (tmp_path / "in" / "b.jpg").unlink()
    batch.run()
    assert statuses(batch) == [(1, "a", "done"), (2, "c", "done")]


def test_what_was_never_paid_is_not_called_gone(batch: PictureBatch, tmp_path: Path) -> None:
    rows = [*batch.rows(), ItemRow(4, {}, problem="has no input"), ItemRow(5, {}, passed_over="blocked")]
    batch.run(iter(rows))
    for name in "abc":
        (tmp_path / "in" / f"{name}.jpg").unlink()
    assert batch.run().by_status == {"gone": 3}
    assert [line["row"] for line in batch.lines] == [1, 2, 3]
