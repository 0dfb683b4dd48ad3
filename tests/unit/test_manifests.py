from __future__ import annotations

import gzip
import json
import logging
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_claid.batch import manifest_chain
from airflow_claid.client import ClaidValidationError
from airflow_claid.manifests import ManifestRow, Origin, Product, join_manifests, read_manifest
from airflow_claid.storage.temporary_database import temporary_database

Put = Callable[..., str]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes rows, or lines, as a manifest, and gives its address."""

    def put(name: str, *rows: dict[str, Any] | str) -> str:
        content = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return f"file://{tmp_path}/{name}"

    return put


def row(number: int, *paths: str, status: str = "done", cost: float | None = 1.0, **facts: Any) -> dict[str, Any]:
    made = {"paths": list(paths), "checksums": [f"c-{path}" for path in paths]} if status == "done" else {}
    return {"row": number, "fingerprint": f"f{number}", "status": status, "credits": cost, **made, **facts}


def came_from(address: str, number: int, **facts: Any) -> dict[str, Any]:
    return {"from": {"manifest": address, "row": number}, **facts}


def test_a_row_has_what_the_manifest_tells_and_all_of_it_raw(put: Put) -> None:
    lamp = row(1, "s3://b/1.png", name="SKU-1", prompt="a lamp", credits_in_doubt=2, input="s3://b/0.png")
    skipped = row(2, status="skipped", reason="blocked", cost=None, **came_from("s3://b/m.jsonl", 7))
    failed = row(3, status="failed", error="no")
    address = put("m.jsonl", lamp, skipped, failed)
    for given in (address, ObjectStoragePath(address), put("m.jsonl.gz", lamp, skipped, failed)):
        assert list(read_manifest(given)) == [
            ManifestRow(
                1, "done", "SKU-1", "a lamp", "s3://b/0.png", ("s3://b/1.png",), ("c-s3://b/1.png",), 1, 2, raw=lamp
            ),
            ManifestRow(2, "skipped", reason="blocked", origin=Origin("s3://b/m.jsonl", 7), raw=skipped),
            ManifestRow(3, "failed", credits=1, error="no", raw=failed),
        ]


def test_a_manifest_is_read_row_by_row(put: Put) -> None:
    def peak(count: int) -> int:
        address = put(f"{count}.jsonl", *(row(number, f"s3://b/{number}.png") for number in range(count)))
        tracemalloc.start()
        assert sum(1 for _ in read_manifest(address)) == count
        assert sum(1 for _ in join_manifests(address)) == count
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return measured

    peak(1)
    assert peak(5000) - peak(500) < 1_000_000


def test_the_work_of_a_join_grows_no_faster_than_the_manifests(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[int] = []

    def counted(schema: str) -> sqlite3.Connection:
        database = temporary_database(schema)
        database.set_progress_handler(lambda: ticks.append(1), 100)
        return database

    def work(count: int) -> int:
        ticks.clear()
        numbers = range(1, count + 1)
        made = put("made.jsonl", *(row(number, f"s3://b/{number}.png") for number in numbers))
        larger = put(
            "larger.jsonl",
            *(row(n, f"s3://b/L/{n}.png", input=f"s3://b/{n}.png", **came_from(made, n)) for n in numbers),
        )
        assert sum(1 for _ in join_manifests(made, larger)) == count
        return len(ticks)

    monkeypatch.setattr(manifest_chain, "temporary_database", counted)
    assert work(1000) < 15 * work(100)


@pytest.mark.parametrize("read", [read_manifest, join_manifests])
@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "prompt,name\na lamp,1", "is no manifest of a batch"),
        ("a.jsonl", '{"prompt": "a lamp"}\n', "is no manifest of a batch"),
        ("a.jsonl", '[{"row": 1}]', "is no manifest of a batch"),
        ("a.jsonl.gz", "", "is not a complete gzip file"),
        ("a.jsonl", json.dumps(row(1)) + '\n{"row": 2', "is cut off in line 2"),
    ],
)
def test_what_is_no_whole_manifest_is_refused(
    read: Callable[[str], Iterator[object]], name: str, content: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ClaidValidationError, match=f"manifest='file://.*{problem}"):
        next(read(f"file://{tmp_path}/{name}"))
    with pytest.raises(ClaidValidationError, match="does not exist"):
        next(read(f"file://{tmp_path}/nowhere.jsonl"))


def test_a_broken_line_is_skipped_with_a_warning(put: Put, caplog: pytest.LogCaptureFixture) -> None:
    address = put("m.jsonl", '{"row": \n', row(1), '{"row": "2"}\n', row(3))
    with caplog.at_level(logging.WARNING, "airflow_claid"):
        assert [found.row for found in read_manifest(address)] == [1, 3]
    assert "skipped 2 broken lines, the first is line 1" in caplog.text


def test_the_manifest_of_a_batch_without_items_is_empty(put: Put) -> None:
    assert list(read_manifest(put("m.jsonl"))) == list(join_manifests(put("m.jsonl"))) == []


@pytest.fixture
def chain(put: Put) -> tuple[str, str, str]:
    """Three steps: two pictures, one without a name, one blocked, one that fails, a duplicate."""
    made = put(
        "made.jsonl",
        row(1, "s3://b/1a.png", "s3://b/1b.png", name="SKU-1", prompt="a lamp", cost=2.0),
        row(2, "s3://b/2.png", prompt="a vase"),
        row(3, status="blocked", name="SKU-3", prompt="a gun"),
        row(4, "s3://b/4.png", name="SKU-4", prompt="a rug"),
        row(5, status="duplicate", of=1, name="SKU-1", prompt="a lamp", cost=0.0),
    )
    larger = put(
        "larger.jsonl",
        row(1, "s3://b/L/1a.png", name="SKU-1", input="s3://b/1a.png", **came_from(made, 1)),
        row(2, "s3://b/L/1b.png", name="SKU-1", input="s3://c@b/1b.png", **came_from(made, 1)),
        row(3, "s3://b/L/2.png", input="s3://b/2.png", **came_from(made, 2)),
        row(4, status="skipped", reason="blocked", cost=0.0, **came_from(made, 3)),
        row(
            5,
            status="failed",
            error="no",
            input="s3://b/4.png",
            cost=0.5,
            credits_in_doubt=1.0,
            **came_from(made, 4),
        ),
        row(6, status="skipped", reason="duplicate", cost=0.0, **came_from(made, 5)),
    )
    resized = put(
        "resized.jsonl",
        row(1, "s3://b/R/1a.png", input="s3://b/L/1a.png", **came_from(larger, 1)),
        row(2, "s3://b/R/1b.png", input="s3://b/L/1b.png", **came_from(larger, 2)),
        row(3, "s3://b/R/2.png", input="s3://b/L/2.png", **came_from(larger, 3)),
        row(4, status="skipped", reason="blocked", cost=0.0, **came_from(larger, 4)),
        row(5, status="skipped", reason="failed", cost=0.0, **came_from(larger, 5)),
        row(6, status="skipped", reason="duplicate", cost=0.0, **came_from(larger, 6)),
    )
    return made, larger, resized


def told(product: Product) -> tuple[object, ...]:
    return product.name, product.prompt, product.status, product.paths, product.credits


def test_products_are_followed_through_all_steps_in_whichever_order_the_manifests_are_given(
    chain: tuple[str, str, str],
) -> None:
    for given in permutations(chain):
        products = list(join_manifests(*given))
        assert [told(product) for product in products] == [
            ("SKU-1", "a lamp", "done", ("s3://b/R/1a.png", "s3://b/R/1b.png"), 6),
            (None, "a vase", "done", ("s3://b/R/2.png",), 3),
            ("SKU-3", "a gun", "blocked", (), 1),
            ("SKU-4", "a rug", "failed", (), 1.5),
        ]
        assert [step.manifest for step in products[0].steps] == list(chain)
        assert [[found.row for found in step.rows] for step in products[0].steps] == [[1, 5], [1, 2, 6], [1, 2, 6]]
        assert [step.paths for step in products[1].steps] == [
            ("s3://b/2.png",),
            ("s3://b/L/2.png",),
            ("s3://b/R/2.png",),
        ]
        assert [step.credits for step in products[0].steps] == [2, 2, 2]
        assert products[3].credits_in_doubt == 1


def test_the_end_of_a_chain_can_be_joined_alone(chain: tuple[str, str, str]) -> None:
    assert [told(product)[::2] for product in join_manifests(*chain[1:])] == [
        ("SKU-1", "done", 2),
        ("SKU-1", "done", 2),
        (None, "done", 2),
        (None, "blocked", 0),
        (None, "failed", 0.5),
        (None, "duplicate", 0),
    ], "each picture of the first manifest given is a product"
    assert [told(product)[2:4] for product in join_manifests(chain[0])] == [
        ("done", ("s3://b/1a.png", "s3://b/1b.png")),
        ("done", ("s3://b/2.png",)),
        ("blocked", ()),
        ("done", ("s3://b/4.png",)),
    ]


def test_a_product_that_a_later_manifest_lacks_or_has_in_part_is_missing(put: Put, chain: tuple[str, str, str]) -> None:
    made = chain[0]
    some = put("some.jsonl", row(1, "s3://b/L/1a.png", input="s3://b/1a.png", **came_from(made, 1)))
    assert [(product.status, product.paths) for product in join_manifests(made, some)] == [
        ("missing", ("s3://b/L/1a.png",)),
        ("missing", ()),
        ("blocked", ()),
        ("missing", ()),
    ]


def test_pictures_that_were_handed_on_as_a_list_are_followed_by_their_addresses(
    put: Put, chain: tuple[str, str, str]
) -> None:
    listed = put(
        "listed.jsonl",
        row(1, "s3://b/L/2.png", input="s3://other@b/2.png"),
        row(2, status="failed", input="s3://b/4.png"),
    )
    statuses = [product.status for product in join_manifests(listed, chain[0])]
    assert statuses == ["missing", "done", "blocked", "failed"]


def test_a_copied_manifest_is_known_by_its_pictures(put: Put, chain: tuple[str, str, str], tmp_path: Path) -> None:
    copied = put("copied.jsonl", (tmp_path / "made.jsonl").read_text())
    found = [told(product) for product in join_manifests(copied, *chain[1:])]
    assert found == [told(product) for product in join_manifests(*chain)]


def test_shards_of_one_batch_are_one_step(put: Put) -> None:
    first, second = (put(f"made-{part}.jsonl", row(part, f"s3://b/{part}.png", name=f"S{part}")) for part in (1, 2))
    larger = put(
        "larger.jsonl",
        row(1, "s3://b/L/1.png", input="s3://b/1.png", **came_from(first, 1)),
        row(2, "s3://b/L/2.png", input="s3://b/2.png", **came_from(second, 2)),
    )
    assert [told(product)[::2] for product in join_manifests(first, larger, second)] == [
        ("S1", "done", 2.0),
        ("S2", "done", 2.0),
    ]
    with pytest.raises(
        ClaidValidationError, match=r"row 2 of '.*larger.jsonl' comes from '.*made-2.jsonl', which is not"
    ):
        next(join_manifests(first, larger))


def test_manifests_of_another_chain_are_refused(put: Put, chain: tuple[str, str, str]) -> None:
    other = put("other.jsonl", row(1, "s3://b/x.png"))
    with pytest.raises(ClaidValidationError, match=r"'.*other.jsonl' has nothing to do with the others"):
        next(join_manifests(*chain, other))
    after = put("after.jsonl", row(1, "s3://b/y.png", input="s3://b/x.png", **came_from(other, 1)))
    with pytest.raises(ClaidValidationError, match=r"'.*other.jsonl' is of another chain of batches than"):
        next(join_manifests(*chain, other, after))


def test_a_manifest_that_was_written_anew_since_is_refused(put: Put, chain: tuple[str, str, str]) -> None:
    made, larger, _ = chain
    put("made.jsonl", row(1, "s3://b/new.png", name="SKU-0"), row(2, "s3://b/1a.png", name="SKU-1"))
    with pytest.raises(ClaidValidationError, match=r"was written anew since\. Run the later batches again"):
        next(join_manifests(made, larger))
