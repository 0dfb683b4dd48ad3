from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.batch.items import Items
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.object_storage import write_whole

PICTURES = ItemKind("clothing", "clothing", pictures=True)
NOON = datetime(2026, 7, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Gives the address of a folder with three pictures, of which two are in folders within."""
    for name in ("a.png", "in/b.jpg", "in/deep/c.png", "in/notes.txt", "_claid/x.png", ".hidden.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        os.utime(path, (NOON.timestamp(),) * 2)
    return f"file://{tmp_path}/photos/"


def found(given: object, **parameters: Any) -> list[tuple[str, str]]:
    items = Items(given, PICTURES, **parameters)
    rows = [(str(row.values["clothing"]).rpartition("/")[2], row.folder) for row in items]
    assert items.count() == len(rows)
    items.close()
    return rows


def test_the_pictures_of_a_folder_are_items_in_the_order_of_their_addresses(folder: str) -> None:
    assert found(folder) == [("a.png", ""), ("b.jpg", "in/"), ("c.png", "in/deep/")]
    assert found(folder, recursive=False) == [("a.png", "")]
    assert found(folder, suffixes=[".PNG"]) == found(folder, suffixes=".png") == [("a.png", ""), ("c.png", "in/deep/")]
    assert found(f"{folder}**/*.png") == [("a.png", ""), ("c.png", "in/deep/")]
    assert found(f"{folder}in/*") == [("b.jpg", "")]


@pytest.mark.parametrize("storage", ["s3", "gcs"])
def test_a_folder_of_a_bucket_is_listed_and_its_connection_stays(storage: str, request: pytest.FixtureRequest) -> None:
    bucket = request.getfixturevalue(storage)
    for name in ("photos/a.png", "photos/in/b.png", "photos/a.txt"):
        write_whole(f"{bucket}/{name}", name.encode())
    items = Items(f"{bucket}/photos/", PICTURES)
    rows = list(items)
    assert [row.values["clothing"] for row in rows] == [f"{bucket}/photos/a.png", f"{bucket}/photos/in/b.png"]
    assert all(row.file is not None and row.file.checksum for row in rows)
    assert "@" not in str(items.identity)


@pytest.mark.parametrize("since", [NOON, str(NOON), "2026-07-01T12:00:00Z", "2026-07-01T14:00:00+02:00"])
def test_pictures_that_were_written_before_are_left_out(since: object, folder: str, tmp_path: Path) -> None:
    earlier = NOON - timedelta(seconds=1)
    os.utime(tmp_path / "photos/a.png", (earlier.timestamp(),) * 2)
    assert found(folder, modified_since=since) == [("b.jpg", "in/"), ("c.png", "in/deep/")]
    assert found(folder, modified_since=NOON + timedelta(days=1)) == [], "a quiet night is no error"
    assert len(found(folder, modified_since="")) == len(found(folder, modified_since="None")) == 3


@pytest.mark.parametrize("since", ["2026-07-01", "yesterday", datetime(2026, 7, 1), 7, NOON.date()])
def test_a_moment_without_timezone_is_refused_with_the_remedy(since: object, folder: str) -> None:
    with pytest.raises(
        ClaidValidationError, match=r"modified_since=.* must be a moment with its timezone.*\{\{ ts \}\}"
    ):
        Items(folder, PICTURES, modified_since=since)  # type: ignore[arg-type]


@pytest.mark.parametrize("parameters", [{"recursive": False}, {"suffixes": [".png"]}, {"modified_since": NOON}])
@pytest.mark.parametrize(
    "given", ["s3://b/a.png", "https://shop.example/a/", "s3://b/a.csv", ["s3://b/a.png", "s3://b/m.jsonl"]]
)
def test_what_says_which_files_count_is_refused_where_none_are_listed(
    given: object, parameters: dict[str, Any], folder: str
) -> None:
    (name,) = parameters
    with pytest.raises(
        ClaidValidationError, match=f"{name}=.* says which files of a folder or a glob count, and clothing="
    ):
        Items(given, PICTURES, **parameters)
    assert Items([*given, folder] if isinstance(given, list) else [given, folder], PICTURES, **parameters).addresses


@pytest.mark.parametrize("parameters", [{"recursive": "yes"}, {"suffixes": 7}])
def test_what_cannot_say_which_files_count_is_refused(parameters: dict[str, Any], folder: str) -> None:
    with pytest.raises(ClaidValidationError, match=f"{next(iter(parameters))}="):
        Items(folder, PICTURES, **parameters)


def test_the_folder_of_the_results_has_no_items(folder: str) -> None:
    assert found(folder, without=[f"{folder}in/deep/"]) == [("a.png", ""), ("b.jpg", "in/")]
    assert found(f"{folder}in/", without=[folder]) == [("b.jpg", ""), ("c.png", "deep/")], "they are beside it"


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("glob", ["", "*.png", "**/*.png"])
def test_a_folder_that_results_are_written_to_is_refused(glob: str, recursive: bool, folder: str) -> None:
    items = Items(folder + glob, PICTURES, recursive=recursive, without=[folder])
    with pytest.raises(ClaidValidationError, match=r"clothing='file:.* and output='file:.* are one folder.*edited/'"):
        items.count()


def test_a_connected_storage_is_listed_where_airflow_reads_it(folder: str) -> None:
    def readable(address: str) -> str:
        return address.replace("storage://Shop/", folder)

    assert found("storage://Shop/in/", readable=readable) == [("b.jpg", ""), ("c.png", "deep/")]
    assert found(["storage://Shop/**/*.png"], readable=readable)[1] == ("c.png", "in/deep/")
    items = Items("storage://Shop/in/", PICTURES, readable=readable)
    assert items.identity == Items(f"{folder}in/", PICTURES).identity
    (row,) = Items("storage://Shop/in/b.jpg", PICTURES, readable=readable)
    assert row.values["clothing"] == "storage://Shop/in/b.jpg", "Claid reads one picture itself"


def test_whether_a_picture_is_still_there_is_told_of_folders_alone(folder: str) -> None:
    items = Items([folder, "s3://b/a.png"], PICTURES, suffixes=[".png"])
    assert [items.has(folder + name) for name in ("a.png", "in/b.jpg", "gone.png")] == [True, True, False]
    assert items.has("s3://b/a.png") is None
    flat = Items(folder, PICTURES, recursive=False)
    assert (flat.has(f"{folder}in/b.jpg"), flat.has(f"{folder}b.jpg")) == (None, False)
    assert Items(f"{folder}*.png", PICTURES).has(f"{folder}b.jpg") is None
    assert Items(["s3://b/a.png"], PICTURES).has("s3://b/a.png") is None


def test_the_content_of_a_folder_changes_with_each_picture(folder: str, tmp_path: Path) -> None:
    def content() -> object:
        return Items(folder, PICTURES).content()

    before = content()
    assert content() == before
    (tmp_path / "photos/in/b.jpg").write_bytes(b"another")
    changed = content()
    (tmp_path / "photos/d.png").write_bytes(b"new")
    assert len({before, changed, content()}) == 3


def test_a_million_pictures_would_not_be_a_million_objects(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(6000):
        (tmp_path / f"many/{number:06}.png").touch()

    def peak(pattern: str) -> int:
        tracemalloc.start()
        items = Items(f"file://{tmp_path}/many/{pattern}", PICTURES)
        rows: Iterator[Any] = iter(items)
        count = items.count()
        assert sum(1 for _ in rows) == count
        items.content()
        items.close()
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return measured

    peak("00000*.png")
    assert peak("*.png") - peak("0000*.png") < 1_500_000
