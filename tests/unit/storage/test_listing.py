from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem

from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import Inventory, list_files
from airflow_claid.storage.object_storage import find, write_whole

RECURSIVE = pytest.mark.parametrize("recursive", [False, True])


@pytest.fixture(params=["local", "s3", "gcs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    root = f"file://{tmp_path}" if request.param == "local" else request.getfixturevalue(request.param)
    return f"{root}/spring/"


def test_it_knows_the_files_of_a_folder_and_of_the_folders_in_it(folder: str) -> None:
    for name in ("LAMP_1.png", "_claid/abc.json", "CHAIR-1/a b.png"):
        write_whole(folder + name, b"content")
    write_whole(folder.replace("spring", "springtime") + "X_1.png", b"content")
    inventory = Inventory(folder)
    assert len(inventory) == 3
    assert all(inventory.has(name) for name in ("LAMP_1.png", "_claid/abc.json", "CHAIR-1/a b.png"))
    assert not any(inventory.has(name) for name in ("X_1.png", "abc.json", "CHAIR-1", "", "_claid/"))


def test_a_file_is_told_from_another_by_the_buckets_checksum_or_the_size(folder: str) -> None:
    write_whole(folder + "LAMP_1.png", b"a lamp")
    checksum = checksum_if_there(folder + "LAMP_1.png")
    assert Inventory(folder).holds("LAMP_1.png", checksum=checksum, size=len(b"a lamp"))
    assert not Inventory(folder).holds("LAMP_2.png", checksum=checksum, size=len(b"a lamp"))
    write_whole(folder + "LAMP_1.png", b"another lamp")
    assert not Inventory(folder).holds("LAMP_1.png", checksum=checksum, size=len(b"a lamp"))
    assert not Inventory(folder).holds("LAMP_1.png", checksum=None, size=None)


def test_what_has_come_or_gone_since_another_look_is_seen(folder: str) -> None:
    write_whole(folder + "LAMP_1.png", b"a lamp")
    assert len(Inventory(folder)) == 1
    write_whole(folder + "LAMP_2.png", b"a lamp")
    ObjectStoragePath(folder + "LAMP_1.png").unlink()
    inventory = Inventory(folder)
    assert (inventory.has("LAMP_1.png"), inventory.has("LAMP_2.png")) == (False, True)


@RECURSIVE
def test_a_folder_that_is_not_there_is_empty(folder: str, recursive: bool) -> None:
    assert len(Inventory(folder, recursive=recursive)) == 0
    assert list_files(folder, recursive=recursive) == []


@RECURSIVE
def test_a_file_in_the_folders_place_is_no_folder(folder: str, recursive: bool) -> None:
    write_whole(folder.rstrip("/"), b"no folder")
    assert len(Inventory(folder, recursive=recursive)) == 0
    assert list_files(folder, recursive=recursive) == []


def when_listed(folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """Let one local folder raise an error when it is listed."""
    ls = LocalFileSystem.ls

    def refusing(self: LocalFileSystem, path: str, *rest: Any, **more: Any) -> Any:
        if Path(path) == folder:
            raise error
        return ls(self, path, *rest, **more)

    monkeypatch.setattr(LocalFileSystem, "ls", refusing)


@pytest.mark.parametrize(("refused", "recursive"), [("", False), ("", True), ("sub", True)])
def test_what_stops_the_listing_is_never_taken_for_an_empty_folder(
    refused: str, recursive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(f"file://{tmp_path}/sub/LAMP_1.png", b"a lamp")
    when_listed(tmp_path / refused, monkeypatch, PermissionError("forbidden"))
    with pytest.raises(PermissionError):
        Inventory(f"file://{tmp_path}/", recursive=recursive).has("LAMP_1.png")
    with pytest.raises(PermissionError):
        list_files(f"file://{tmp_path}/", recursive=recursive)


def test_a_folder_that_goes_while_the_others_are_listed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.png", "gone/2.png", "z/3.png"):
        write_whole(f"file://{tmp_path}/{name}", b"a lamp")
    when_listed(tmp_path / "gone", monkeypatch, FileNotFoundError("gone"))
    names = [f"file://{tmp_path}/{name}" for name in ("a/1.png", "z/3.png")]
    assert [file.uri for file in list_files(f"file://{tmp_path}/", recursive=True)] == names
    assert len(Inventory(f"file://{tmp_path}/")) == 2


def test_links_in_a_local_folder_are_not_followed(tmp_path: Path) -> None:
    write_whole(f"file://{tmp_path}/in/a.png", b"a lamp")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "in" / "a.png")
    folder = f"file://{tmp_path}/in/"
    for recursive in (False, True):
        assert [file.uri for file in list_files(folder, recursive=recursive)] == [f"{folder}a.png"]


def test_folders_in_the_folder_count_only_where_they_are_asked_for(folder: str) -> None:
    for name in ("LAMP_1.png", "_claid/abc.json"):
        write_whole(folder + name, b"content")
    inventory = Inventory(folder, recursive=False)
    assert len(inventory) == 1
    assert inventory.has("LAMP_1.png")
    assert Inventory(folder + "_claid/", recursive=False).has("abc.json")


def test_the_files_directly_in_a_folder_are_listed_by_name(folder: str) -> None:
    for name in ("b.png", "a.png", "_claid/x.json", "deep/er/c.png"):
        write_whole(folder + name, name.encode())
    assert [(file.uri, file.size) for file in list_files(folder)] == [(f"{folder}a.png", 5), (f"{folder}b.png", 5)]


def test_files_below_a_folder_are_listed_by_their_paths_in_it(folder: str) -> None:
    for name in ("b.png", "deep/a b.png", "_claid/x.json"):
        write_whole(folder + name, name.encode())
    write_whole(folder.rstrip("/") + "time.png", b"outside")
    files = list_files(folder, recursive=True)
    assert [(file.uri, file.size) for file in files] == [
        (f"{folder}_claid/x.json", 13),
        (f"{folder}b.png", 5),
        (f"{folder}deep/a b.png", 12),
    ]
    if not folder.startswith("file://"):
        before = files[1].checksum
        write_whole(f"{folder}b.png", b"b.png")
        assert list_files(folder, recursive=True)[1].checksum == before is not None


@RECURSIVE
def test_a_listed_file_is_the_file_that_is_found_by_its_address(folder: str, recursive: bool) -> None:
    write_whole(f"{folder}a.png", b"a lamp")
    assert list_files(folder, recursive=recursive) == [find(f"{folder}a.png")]
