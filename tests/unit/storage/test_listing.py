from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.object_storage import checksum_if_there, write_whole


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


def test_a_folder_that_is_not_there_is_empty(folder: str) -> None:
    assert len(Inventory(folder)) == 0


def test_what_stops_the_listing_is_never_taken_for_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise PermissionError("forbidden")

    file_system = ObjectStoragePath(f"file://{tmp_path}/").fs
    monkeypatch.setattr(type(file_system), "find", forbidden)
    with pytest.raises(PermissionError):
        Inventory(f"file://{tmp_path}/").has("LAMP_1.png")


def test_folders_in_the_folder_count_only_where_they_are_asked_for(folder: str) -> None:
    for name in ("LAMP_1.png", "_claid/abc.json"):
        write_whole(folder + name, b"content")
    inventory = Inventory(folder, recursive=False)
    assert len(inventory) == 1
    assert inventory.has("LAMP_1.png")
    assert Inventory(folder + "_claid/", recursive=False).has("abc.json")
