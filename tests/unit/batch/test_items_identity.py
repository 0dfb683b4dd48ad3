from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.batch.items import Items

PICTURES = ItemKind("input", "input", pictures=True)


def digest(items: list[Any]) -> str:
    return hashlib.sha256(json.dumps(items, default=str, skipkeys=True).encode()).hexdigest()


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        ("s3://conn@b/prompts.csv", "s3://b/prompts.csv"),
        (ObjectStoragePath("s3://conn@b/prompts.csv"), "s3://b/prompts.csv"),
        (["s3://conn@b/prompts.csv"], "s3://b/prompts.csv"),
        (["s3://conn@b/1.csv", "s3a://b/2.csv"], digest(["s3://b/1.csv", "s3://b/2.csv"])),
        (["a lamp", {"prompt": "a vase", "name": 7}], digest(["a lamp", {"prompt": "a vase", "name": 7}])),
        ([["a lamp"], ("a vase",)], digest(["a lamp", "a vase"])),
        ([], digest([])),
    ],
)
def test_prompts_have_the_identity_that_they_had_before(given: object, identity: str) -> None:
    assert Items(given).identity == identity


def test_the_identity_of_pictures_has_no_connection_and_no_signature() -> None:
    def identity(given: object, **parameters: Any) -> Any:
        found = Items(given, PICTURES, **parameters).identity
        assert json.loads(json.dumps(found)) == found
        return found

    assert identity("s3://conn@b/photos/") == identity("s3://b/photos/") == "s3://b/photos/"
    assert identity(["s3://conn@b/a.png"]) == identity([ObjectStoragePath("s3://b/a.png")])
    signed = "https://shop.example/a.png?X-Amz-Signature={}"
    assert identity([signed.format(1)]) == identity([signed.format(2)]) == identity(["https://shop.example/a.png"])
    assert identity([{"input": signed.format(1), "n": 1}]) == identity([{"input": signed.format(2), "n": 1}])
    assert identity(["https://shop.example/a.png"]) != identity(["https://shop.example/b.png"])
    assert identity("s3://b/photos/", modified_since="2026-07-01T00:00:00Z") == "s3://b/photos/"
    assert identity("s3://b/photos/", suffixes=[".png", ".jpg"]) == identity(
        "s3://b/photos/", suffixes=(".jpg", ".png")
    )
    assert identity("s3://b/photos/", suffixes=[".png"]) != identity("s3://b/photos/", recursive=False)


@pytest.fixture
def many(tmp_path: Path) -> Callable[[int], str]:
    def many(count: int) -> str:
        (tmp_path / "a.csv").write_text("prompt\n" + "".join(f"prompt {number}\n" for number in range(1, count + 1)))
        return f"file://{tmp_path}/a.csv"

    return many


@pytest.mark.parametrize(
    ("count", "number", "rows"),
    [(9, 3, [1, 5, 9]), (10, 1, [1]), (2, 5, [1, 2]), (100, 4, [1, 34, 67, 100]), (0, 3, [])],
)
def test_a_preview_is_spread_over_all_and_keeps_the_numbers(
    count: int, number: int, rows: list[int], many: Callable[[int], str]
) -> None:
    items = Items(many(count))
    preview = items.preview(number)
    assert [row.number for row in preview] == [row.number for row in preview] == rows
    assert preview.count() == len(rows)
    assert items.count() == len(list(items)) == count
    assert preview.identity != items.identity
    assert preview.content() == items.content()


def test_a_preview_of_a_shard_has_rows_of_the_shard(many: Callable[[int], str]) -> None:
    assert [row.number for row in Items(many(20), shard=(1, 4)).preview(3)] == [2, 10, 18]


def test_the_content_of_files_is_told_as_before(many: Callable[[int], str], tmp_path: Path) -> None:
    address = many(3)
    once = Items(address).content()
    assert once == hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest()
    assert Items([address, address]).content() == f"{once}|{once}"
    assert Items(["a lamp"]).content() is None
    assert Items("file:///nowhere/a.csv").content() is None
