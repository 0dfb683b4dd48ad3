from __future__ import annotations

import json
import logging
import tempfile
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.batch import manifest as module
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import read_if_there, write_whole
from tests.conftest import Connect, s3_connection
from tests.support.scripted_server import Reply, ScriptedServer

BATCH = "52298e7d"
DENIED = Reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})


@pytest.fixture(params=["local", "s3", "gcs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new folder, in each kind of storage."""
    if request.param == "local":
        return f"file://{tmp_path}/place/"
    return f"{request.getfixturevalue(request.param)}/place/"


@pytest.fixture
def local(tmp_path: Path) -> str:
    return f"file://{tmp_path}/place/"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def opened(place: str, **terms: Any) -> Manifest:
    return Manifest(place, BATCH, f"{place}manifest-spring.jsonl", **terms)


def parts_of(place: str) -> list[str]:
    return [file.uri.rpartition("/")[2] for file in list_files(f"{place}_claid/batches/{BATCH}/")]


def row(number: int, status: str = "done", **more: Any) -> dict[str, Any]:
    return {"row": number, "fingerprint": f"f{number}", "status": status, **more}


def written(address: str) -> list[dict[str, Any]]:
    content = read_if_there(address)
    assert content is not None
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def test_the_manifest_has_each_row_in_the_order_of_the_input_and_the_parts_are_gone(place: str) -> None:
    manifest = opened(place, part_rows=2)
    for number in (3, 1, 5, 2, 4):
        manifest.add(row(number, prompt="自転車 \u2028 \ud800", credits=1.5))
    assert parts_of(place) == ["part-00001.jsonl", "part-00002.jsonl"]
    assert manifest.finish() == f"{place}manifest-spring.jsonl"
    manifest.close()
    assert written(f"{place}manifest-spring.jsonl") == [
        row(number, prompt="自転車 \u2028 \ud800", credits=1.5) for number in range(1, 6)
    ]
    assert parts_of(place) == []
    assert [file.uri for file in list_files(place)] == [f"{place}manifest-spring.jsonl"]


def test_nothing_but_the_manifest_is_left_on_a_local_disk(local: str, tmp_path: Path) -> None:
    manifest = opened(local)
    manifest.add(row(1))
    manifest.finish()
    manifest.close()
    left = [path.relative_to(tmp_path / "place").as_posix() for path in (tmp_path / "place").rglob("*")]
    assert left in (["_claid", "manifest-spring.jsonl"], ["manifest-spring.jsonl", "_claid"])


def test_a_later_attempt_goes_on_where_the_first_one_was_killed(place: str) -> None:
    killed = opened(place, part_rows=2)
    for number in (1, 3, 2):
        killed.add(row(number))
    killed.close()

    manifest = opened(place, part_rows=2)
    assert manifest.index.get("f3") == row(3)
    assert manifest.index.get("f2") is None
    assert manifest.index.has(3, "f3")
    assert not manifest.index.has(3, "another")
    assert not manifest.index.has(2, "f2")
    assert manifest.index.count == 2
    manifest.add(row(2, "blocked"))
    manifest.add(row(4))
    assert parts_of(place) == ["part-00001.jsonl", "part-00002.jsonl"]
    manifest.finish()
    manifest.close()
    assert written(manifest.address) == [row(1), row(2, "blocked"), row(3), row(4)]


def test_of_two_rows_of_a_number_the_last_one_counts(place: str) -> None:
    first = opened(place, part_rows=1)
    first.add(row(1, "failed"))
    first.add(row(2, "failed"))
    first.add(row(2))
    first.close()
    second = opened(place)
    assert second.index.get("f2") == row(2)
    assert second.index.by_status() == {"failed": 1, "done": 1}
    second.add(row(1, "invalid"))
    assert second.index.by_status() == {"invalid": 1, "done": 1}
    second.finish()
    second.close()
    assert written(second.address) == [row(1, "invalid"), row(2)]


def test_part_ten_thousand_is_later_than_part_nine(local: str) -> None:
    folder = f"{local}_claid/batches/{BATCH}/"
    write_whole(f"{folder}part-100000.jsonl", json.dumps(row(1)).encode() + b"\n")
    write_whole(f"{folder}part-99999.jsonl", json.dumps(row(1, "failed")).encode() + b"\n")
    write_whole(f"{folder}notes.txt", b"kept")
    manifest = opened(local, part_rows=1)
    assert manifest.index.get("f1") == row(1)
    manifest.add(row(2))
    assert manifest.index.parts[-1] == f"{folder}part-100001.jsonl"
    manifest.finish()
    manifest.close()
    assert parts_of(local) == ["notes.txt"]


def test_the_manifest_of_an_earlier_batch_is_asked_too_but_not_counted(place: str) -> None:
    former = opened(place)
    former.add(row(1, path="old"))
    former.add(row(2, "duplicate"))
    former.finish()
    former.close()
    manifest = Manifest(place, "another batch", former.address)
    assert manifest.index.get("f1") == row(1, path="old")
    assert manifest.index.get("f2") is None
    assert manifest.index.count == 0
    assert not manifest.index.has(1, "f1")
    manifest.add({**row(1, path="new"), "fingerprint": "g1"})
    assert manifest.index.get("f1") == row(1, path="old")
    manifest.finish()
    manifest.close()
    assert written(former.address) == [{**row(1, path="new"), "fingerprint": "g1"}]


def test_a_duplicates_row_never_stands_for_the_item(local: str) -> None:
    manifest = opened(local)
    manifest.add({"row": 2, "fingerprint": "f1", "status": "duplicate"})
    manifest.add({"row": 3, "fingerprint": None, "status": "invalid"})
    assert manifest.index.get("f1") is None
    manifest.add(row(1))
    manifest.add({"row": 4, "fingerprint": "f1", "status": "duplicate"})
    assert manifest.index.get("f1") == row(1)
    assert manifest.index.has(3, None)
    assert manifest.index.by_status() == {"duplicate": 2, "invalid": 1, "done": 1}
    manifest.close()


def test_a_part_is_written_when_its_first_row_is_old_enough(local: str) -> None:
    clock = Clock()
    manifest = opened(local, part_seconds=60, clock=clock)
    clock.seconds = 1000
    manifest.add(row(1))
    clock.seconds = 1059
    manifest.add(row(2))
    assert parts_of(local) == []
    clock.seconds = 1060
    manifest.add(row(3))
    assert parts_of(local) == ["part-00001.jsonl"]
    clock.seconds = 1119
    manifest.add(row(4))
    assert parts_of(local) == ["part-00001.jsonl"]
    manifest.close()


def test_what_is_flushed_is_there_for_the_next_attempt(place: str) -> None:
    manifest = opened(place)
    manifest.flush()
    assert parts_of(place) == []
    manifest.add(row(1))
    manifest.flush()
    manifest.flush()
    manifest.close()
    assert parts_of(place) == ["part-00001.jsonl"]
    again = ManifestIndex(f"{place}_claid/batches/{BATCH}/")
    assert again.get("f1") == row(1)
    again.close()


def test_a_signal_in_the_middle_of_a_write_loses_no_row(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = opened(local)
    manifest.add(row(1))
    create_whole = module.create_whole

    def terminated(address: str, content: bytes) -> bool:
        monkeypatch.setattr(module, "create_whole", create_whole)
        manifest.flush()
        raise SystemExit

    monkeypatch.setattr(module, "create_whole", terminated)
    with pytest.raises(SystemExit):
        manifest.flush()
    manifest.add(row(2))
    manifest.flush()
    manifest.close()
    again = opened(local)
    assert (again.index.get("f1"), again.index.get("f2")) == (row(1), row(2))
    again.close()


def test_rows_whose_part_could_not_be_written_go_with_the_next(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = opened(local, part_rows=2)
    manifest.add(row(1))

    def away(address: str, content: bytes) -> bool:
        raise OSError("the storage is away")

    with monkeypatch.context() as patched:
        patched.setattr(module, "create_whole", away)
        with pytest.raises(OSError, match="away"):
            manifest.add(row(2))
    manifest.add(row(3))
    assert written(manifest.index.parts[-1]) == [row(1), row(2), row(3)]
    manifest.close()


def test_two_attempts_at_once_overwrite_no_part_of_each_other(local: str) -> None:
    one, two = opened(local, part_rows=1), opened(local, part_rows=1)
    one.add(row(1))
    two.add(row(2))
    one.close()
    two.close()
    again = opened(local)
    assert again.index.count == 2
    again.close()


def test_many_threads_add_rows(place: str) -> None:
    manifest = opened(place, part_rows=40)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: manifest.add(row(number)), range(1, 401)))
    assert manifest.index.count == 400
    manifest.finish()
    manifest.close()
    assert written(manifest.address) == [row(number) for number in range(1, 401)]


def test_a_manifest_larger_than_a_chunk_is_written_and_read_whole(place: str) -> None:
    manifest = opened(place)
    for number in range(1, 10_001):
        manifest.add(row(number, prompt="x" * 1000))
    manifest.finish()
    manifest.close()
    assert len(read_if_there(manifest.address) or b"") > 10_000_000
    index = ManifestIndex(f"{place}none/", manifest.address)
    assert index.get("f1") == row(1, prompt="x" * 1000)
    assert index.get("f10000") == row(10_000, prompt="x" * 1000)
    index.close()


def test_a_batch_without_rows_has_an_empty_manifest(place: str) -> None:
    manifest = opened(place)
    manifest.finish()
    manifest.close()
    assert written(manifest.address) == []


def test_a_finish_that_fails_leaves_the_former_manifest_and_the_parts(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = opened(place)
    former.add(row(7))
    former.finish()
    former.close()
    manifest = opened(place)
    manifest.add(row(1))
    lines = manifest.index.lines

    def full_disk() -> Iterator[bytes]:
        yield b"x" * (1 << 20 if place.startswith("gs://") else 9 << 20)  # the emulator cannot cancel an upload
        raise OSError("No space left on device")

    monkeypatch.setattr(manifest.index, "lines", full_disk)
    with pytest.raises(OSError, match="No space left"):
        manifest.finish()
    assert written(manifest.address) == [row(7)]
    assert parts_of(place) == ["part-00001.jsonl"]
    assert [file.uri for file in list_files(place)] == [manifest.address]
    monkeypatch.setattr(manifest.index, "lines", lines)
    manifest.finish()
    manifest.close()
    assert written(manifest.address) == [row(1)]


@pytest.mark.parametrize(
    "broken", [b'{"row": 2, "fingerp', b"\xff\xfe", b"[]", b'{"row": "2"}', b'{"row": 2, "fingerprint": "f2"}', b""]
)
def test_of_a_broken_part_the_whole_lines_count(place: str, broken: bytes, caplog: pytest.LogCaptureFixture) -> None:
    part = f"{place}_claid/batches/{BATCH}/part-00001.jsonl"
    write_whole(part, json.dumps(row(1)).encode() + b"\n" + broken + b"\n" + json.dumps(row(3)).encode())
    with caplog.at_level(logging.WARNING, "airflow_claid"):
        manifest = opened(place)
    assert manifest.index.count == 2
    ours = (record for record in caplog.records if record.name.startswith("airflow_claid"))
    assert [record.getMessage() for record in ours] == [f"{part}: skipped 1 broken lines, the first is line 2"]
    manifest.finish()
    manifest.close()
    assert written(manifest.address) == [row(1), row(3)]


def test_a_bucket_that_may_not_be_read_is_not_taken_for_a_new_batch(connect: Connect, scripted: ScriptedServer) -> None:
    conn_id = connect("s3_denied_manifest", **s3_connection(scripted.url))
    scripted.replies(*[DENIED] * 4)
    with pytest.raises(PermissionError):
        ManifestIndex(f"s3://{conn_id}@bucket/_claid/batches/x/")
    with pytest.raises(PermissionError):
        ManifestIndex(f"s3://{conn_id}@bucket/_claid/batches/x/", f"s3://{conn_id}@bucket/manifest-x.jsonl")


def test_a_folder_in_the_manifests_place_is_not_taken_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "manifest-x.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        ManifestIndex(f"file://{tmp_path}/none/", f"file://{tmp_path}/manifest-x.jsonl")


def test_what_json_cannot_hold_is_refused_and_leaves_nothing(local: str) -> None:
    manifest = opened(local)
    with pytest.raises(ValueError, match="not JSON compliant"):
        manifest.add(row(1, guidance_scale=float("nan")))
    assert manifest.index.count == 0
    manifest.close()


def test_the_index_leaves_no_file_behind_even_if_it_is_never_closed(
    local: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    index = ManifestIndex(local)
    assert index.count == 0
    assert list((tmp_path / "temporary").iterdir()) == []
    index.close()


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        place = f"file://{tmp_path}/{count}/"
        tracemalloc.start()
        first = opened(place)
        for number in range(count, 0, -1):
            first.add(row(number, prompt="x" * 200))
        first.flush()
        first.close()
        second = opened(place)
        assert second.index.count == count
        assert second.index.get(f"f{count}") == row(count, prompt="x" * 200)
        second.finish()
        second.close()
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        with Path(second.address.removeprefix("file://")).open(encoding="utf-8") as lines:
            assert sum(json.loads(line)["row"] == number for number, line in enumerate(lines, start=1)) == count
        return measured

    assert peak(20_000) - peak(1000) < 3_000_000
