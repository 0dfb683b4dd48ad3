from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.batch.items import ItemRow, Items
from airflow_claid.client import ClaidValidationError

PICTURES = ItemKind("input", "input", ("width", "prompt"), frozenset({"width"}), pictures=True)

DONE = {
    "row": 1,
    "name": "SKU-1",
    "prompt": "a lamp",
    "fingerprint": "f1",
    "status": "done",
    "paths": ["s3://b/out/SKU-1_1.png", "s3://b/out/SKU-1_2.png"],
    "checksums": ['"c1"', None],
    "width": 2048,
}
BLOCKED = {"row": 2, "name": None, "prompt": "x", "fingerprint": "f2", "status": "blocked", "paths": [], "blocked": 1}
GONE = {**DONE, "row": 3, "status": "gone", "was": "done"}
DUPLICATE = {"row": 4, "name": "SKU-1", "fingerprint": "f1", "status": "duplicate", "of": 1}

PutManifest = Callable[..., str]


@pytest.fixture
def put(tmp_path: Path) -> PutManifest:
    """Writes rows, or lines, as a manifest, and gives its address."""

    def put(*rows: dict[str, Any] | str, name: str = "m.jsonl") -> str:
        lines = [row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows]
        content = "".join(lines).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return f"file://{tmp_path}/{name}"

    return put


def pictures(given: object, **parameters: Any) -> Items:
    return Items(given, PICTURES, **parameters)


@pytest.mark.parametrize("name", ["m.jsonl", "whatever.ndjson", "m.json", "m.jsonl.gz", "m.json.gz"])
def test_each_usable_picture_is_an_item_and_each_row_without_one_is_passed_over(put: PutManifest, name: str) -> None:
    address = put(DONE, BLOCKED, GONE, DUPLICATE, name=name)

    def came_from(row: int) -> dict[str, Any]:
        return {"from": {"manifest": address, "row": row}}

    product = {"name": "SKU-1", "prompt": "a lamp"}
    items = pictures(address)
    assert list(items) == [
        ItemRow(1, {"input": "s3://b/out/SKU-1_1.png"}, version='"c1"', carried={**product, **came_from(1)}),
        ItemRow(2, {"input": "s3://b/out/SKU-1_2.png"}, carried={**product, **came_from(1)}),
        ItemRow(3, carried={"prompt": "x", **came_from(2)}, passed_over="blocked"),
        ItemRow(4, carried={**product, **came_from(3)}, passed_over="gone"),
        ItemRow(5, carried={"name": "SKU-1", **came_from(4)}, passed_over="duplicate"),
    ]
    assert (items.count(), items.addresses) == (5, (address,))


def test_why_an_item_was_passed_over_goes_on_through_all_steps(put: PutManifest) -> None:
    skipped = {"row": 1, "fingerprint": None, "status": "skipped", "reason": "blocked"}
    rows = pictures(put(skipped, {**skipped, "row": 2, "reason": None}))
    assert [row.passed_over for row in rows] == ["blocked", "skipped"]


def test_manifests_of_several_shards_are_read_one_after_the_other(put: PutManifest) -> None:
    first = put(DONE, name="m-1.jsonl")
    second = put({**DONE, "row": 2, "paths": ["s3://b/out/SKU-2.png"]}, name="m-2.jsonl")
    for given in ([first, second], first.replace("m-1", "m-*")):
        found = list(pictures(given))
        assert [row.number for row in found] == [1, 2, 3]
        assert found[2].carried["from"] == {"manifest": second, "row": 2}


def test_only_fields_that_are_named_replace_parameters(put: PutManifest) -> None:
    address = put({**DONE, "sku": "X-1", "motif": "a new prompt"}, BLOCKED)
    found = list(pictures(address, columns={"width": "width", "prompt": "motif", "name": "sku"}))
    assert found[0].values == {"input": "s3://b/out/SKU-1_1.png", "width": 2048, "prompt": "a new prompt"}
    assert found[0].name == "X-1"
    assert found[0].carried == {"from": {"manifest": address, "row": 1}}, "the row has its own"
    assert found[2].carried["prompt"] == "x"
    with pytest.raises(ClaidValidationError, match="has no column 'size', only 'row', 'name'"):
        pictures(address, columns={"width": "size"}).count()


def test_naming_the_subject_makes_an_ordinary_file_of_a_manifest(put: PutManifest) -> None:
    row = {**DONE, "input": "s3://b/before.png"}
    (found,) = pictures(put(row), columns={"input": "input", "name": None, "width": None, "prompt": None})
    assert (found.values, found.carried) == ({"input": "s3://b/before.png"}, {})


def test_a_broken_line_is_a_problem_of_its_own_even_if_it_is_the_first(put: PutManifest) -> None:
    address = put('{"row": 1, "na\n', DONE, '{"row": "2"}\n', "\n", BLOCKED)
    found = list(pictures(address))
    assert [row.problem for row in found] == [
        f"is broken in the manifest {address} (line 1)",
        None,
        None,
        f"is broken in the manifest {address} (line 3)",
        None,
    ]
    assert [row.number for row in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("paths", [None, [], "s3://b/a.png", [7], [""], {"a": 1}])
def test_a_row_that_somebody_spoiled_is_a_problem_of_its_own(put: PutManifest, paths: object) -> None:
    spoiled, good, _ = pictures(put({**DONE, "paths": paths}, DONE))
    assert "is done in the manifest" in str(spoiled.problem)
    assert good.problem is None


@pytest.mark.parametrize("checksums", [None, ['"c1"'], "x", [1, 2]])
def test_checksums_that_do_not_fit_are_not_believed(put: PutManifest, checksums: object) -> None:
    assert [row.version for row in pictures(put({**DONE, "checksums": checksums}))] == [None, None]


def test_a_manifest_that_is_cut_off_is_refused(put: PutManifest) -> None:
    address = put(DONE, json.dumps(BLOCKED)[:-5])
    for read in (Items.count, list):
        with pytest.raises(ClaidValidationError, match="is cut off in line 2, its last"):
            read(pictures(address))
    assert pictures(put(DONE, json.dumps(BLOCKED))).count() == 3, "a last line may lack its end"


def test_a_packed_manifest_that_is_cut_off_is_refused(put: PutManifest, tmp_path: Path) -> None:
    address = put(DONE, BLOCKED, name="m.jsonl.gz")
    path = tmp_path / "m.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ClaidValidationError, match="is not a complete gzip file"):
        pictures(address).count()


def test_a_shard_of_a_manifest_has_each_item_once(put: PutManifest) -> None:
    address = put(DONE, BLOCKED, GONE)
    numbers = [[row.number for row in pictures(address, shard=(part, 2))] for part in range(2)]
    assert numbers == [[1, 3], [2, 4]]
