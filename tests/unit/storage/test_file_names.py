from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from airflow_claid.storage.file_names import FileNames


def test_this_machines_folders_tell_all_names_apart_and_nothing_is_left(tmp_path: Path) -> None:
    names = FileNames(f"file://{tmp_path}/not/yet/")
    assert len({names.key(name) for name in ("Ab", "aB", "\u00e9", "e\u0301")}) == 4
    assert names.why == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["s3://bucket/a/", "storage://shop/a/", ""])
def test_buckets_tell_all_names_apart(folder: str) -> None:
    names = FileNames(folder)
    assert names.key("Ab") != names.key("ab")


def test_a_folder_that_cannot_be_written_is_no_error() -> None:
    assert FileNames("file:///proc/none/").key("Ab") == "Ab"


@pytest.fixture
def _like_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that finds a file under each of its names."""

    def exists(path: Path) -> bool:
        alike = {unicodedata.normalize("NFC", one.name).casefold() for one in path.parent.iterdir()}
        return unicodedata.normalize("NFC", path.name).casefold() in alike

    monkeypatch.setattr(Path, "exists", exists)


@pytest.mark.usefixtures("_like_a_mac")
def test_where_a_folder_does_not_tell_them_apart_names_are_one(tmp_path: Path) -> None:
    names = FileNames(f"file://{tmp_path}/")
    assert names.key("SKU-A") == names.key("sku-a")
    assert names.key("\u00c9t\u00e9") == names.key("e\u0301te\u0301")
    assert names.key("a") != names.key("b")
    assert "upper and lower case or the Unicode form" in names.why
