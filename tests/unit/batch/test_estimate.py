"""The credits of an estimate are those that the sandbox then charges."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.batch.batch import Batch
from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.estimate import Estimate, estimate
from airflow_claid.batch.items import ItemRow, Items
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.client import ClaidClient, GenerateRequest
from airflow_claid.client.quota.pacing import seconds_needed
from airflow_claid.client.quota.quota import Quota
from airflow_claid.client.quota.rate_limits import Policy
from airflow_claid.fulfilment import receipt_stores
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, KnownReceipts
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.orders.order import Order
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.places import checked_name, generation_place
from tests.support.shop import Shop

PACE = (Policy(120, 60),)


@dataclass
class Catalogue:
    """A catalogue in a folder, estimated and run as a task does."""

    shop: Shop
    prompts: list[Any]
    images: int = 1
    run_id: str = "monday"
    terms: dict[str, Any] = field(default_factory=dict)
    fallbacks: list[str] = field(default_factory=list)
    pause: float = 0.0

    def __post_init__(self) -> None:
        self.folder = f"file://{self.shop.bucket}/out/"

    def orders(self, row: ItemRow) -> list[Order]:
        return [self.order(row, str(row.values.get("prompt"))), *(self.order(row, one) for one in self.fallbacks)]

    def order(self, row: ItemRow, prompt: str) -> Order:
        return GenerateOrder(
            base_url=self.shop.client.base_url,
            place=generation_place(self.folder),
            name=checked_name(row.name) if row.name is not None else None,
            request=GenerateRequest.of(prompt, number_of_images=self.images),
        )

    def manifest(self) -> Manifest:
        return Manifest(self.folder, "b" * 64, f"{self.folder}manifest.jsonl")

    def still_there(self) -> Callable[[dict[str, Any]], bool]:
        inventory = Inventory(self.folder, recursive=False)

        def still_there(row: dict[str, Any]) -> bool:
            pictures = zip(row["paths"], row["checksums"], row["bytes"], strict=True)
            names = ((path.removeprefix(self.folder), checksum, size) for path, checksum, size in pictures)
            return not self.terms.get("regenerate") and all(
                inventory.holds(name, checksum=checksum, size=size) for name, checksum, size in names
            )

        return still_there

    def fulfilment(self, budget: Budget) -> Callable[[bool], Fulfilment]:
        receipts = f"{self.folder}_claid/"
        known = KnownReceipts(receipts, Inventory(receipts, recursive=False).has)
        first = self.shop.fulfilment(self.run_id, known, budget, wait_for_answers=False, **self.terms)
        again = replace(first, receipts=lambda _: FolderReceipts(receipts))
        return lambda is_first: first if is_first else again

    def estimate(self, rows: Iterable[ItemRow] | None = None, **more: Any) -> Estimate:
        manifest = self.manifest()
        try:
            return estimate(
                Items(self.prompts) if rows is None else rows,
                self.orders,
                manifest.index,
                self.still_there(),
                self.fulfilment(Budget())(True).forecast,
                seconds_needed=lambda requests: seconds_needed(PACE, requests),
                **more,
            )
        finally:
            manifest.close()

    def run(self, *, until: int | None = None, finishes: bool = True) -> BatchCounts:
        """Run the batch.

        :param until: after how many rows it is killed.
        :param finishes: whether the manifest is written.
        """

        def rows() -> Iterator[ItemRow]:
            for row in Items(self.prompts):
                if until is not None and row.number > until:
                    while batch.counts.items + batch.counts.waiting < until:
                        threading.Event().wait(0.002)
                    raise KeyboardInterrupt
                yield row

        manifest, budget = self.manifest(), Budget()
        batch = Batch(
            rows=rows(),
            order_of=self.orders,
            fulfilment=self.fulfilment(budget),
            budget=budget,
            manifest=manifest,
            still_there=self.still_there(),
            quota_rate=lambda: 1000.0,
            latency=lambda: 0.1,
            terms=BatchTerms(concurrency=4, pause=self.pause, error_threshold=1.0),
            report=lambda counts: None,
        )
        try:
            counts = batch.run()
            if finishes:
                manifest.finish()
        finally:
            manifest.close()
        return counts


def lamps(number: int, size: str = "small") -> list[Any]:
    return [{"prompt": f"A {size} lamp number {count}", "name": f"L-{count}"} for count in range(1, number + 1)]


@pytest.fixture
def catalogue(sandbox: Sandbox, claid: ClaidClient, tmp_path: Path) -> Catalogue:
    return Catalogue(Shop(sandbox, claid, tmp_path, ConnectedStorages(claid, {})), lamps(6))


def charged(sandbox: Sandbox) -> float:
    return sum(entry.credits for entry in sandbox.ledger())


def nothing(catalogue: Catalogue) -> None:
    """The batch is fresh."""


def ran(catalogue: Catalogue) -> None:
    catalogue.run()


def half_done(catalogue: Catalogue) -> None:
    with suppress(KeyboardInterrupt):
        catalogue.run(until=3)


def killed(catalogue: Catalogue) -> None:
    """The parts were not written, so that only the receipts tell what was paid; one of them is an intent."""
    catalogue.shop.sandbox.fault("cut", operation="generate_image", charged=True, prompt="number 2")
    catalogue.pause = 60.0  # no retry before the kill, however soon the answer is lost
    with suppress(KeyboardInterrupt):
        catalogue.run(until=3)
    catalogue.pause = 0.0
    for part in (catalogue.shop.bucket / "out" / "_claid" / "batches").rglob("part-*"):
        part.unlink()
    catalogue.shop.sandbox.clear_faults()


def refused(catalogue: Catalogue) -> None:
    paying = catalogue.shop.client
    catalogue.shop.client = ClaidClient("unknown-key-0000", catalogue.shop.sandbox.url, quota=Quota(()))
    with suppress(Exception):
        catalogue.run()
    catalogue.shop.client = paying


def regenerated(catalogue: Catalogue) -> None:
    catalogue.run()
    catalogue.run_id, catalogue.terms = "tuesday", {"regenerate": True}


def regenerated_in_part(catalogue: Catalogue) -> None:
    regenerated(catalogue)
    with suppress(KeyboardInterrupt):
        catalogue.run(until=2)


def with_duplicates(catalogue: Catalogue) -> None:
    catalogue.prompts = [*lamps(3), *lamps(2), {"prompt": "Another lamp", "name": "L-1"}]


def with_invalid_rows(catalogue: Catalogue) -> None:
    catalogue.prompts = ["ab", *lamps(2), {"name": "X"}, None, {"prompt": "A lamp", "name": "a/b\0"}]


def pictures_removed(catalogue: Catalogue) -> None:
    catalogue.run()
    for number in (2, 5):
        (catalogue.shop.bucket / "out" / f"L-{number}_1.png").unlink()


def prompts_changed(catalogue: Catalogue) -> None:
    catalogue.run()
    catalogue.prompts = [*lamps(2, "large"), *lamps(6)[2:], {"prompt": "A new lamp", "name": "L-7"}]


def some_blocked(catalogue: Catalogue) -> None:
    catalogue.prompts = [*lamps(2), "A nude statue", "Gore on a wall"]
    half_done(catalogue)


def manifest_lost(catalogue: Catalogue) -> None:
    catalogue.run()
    (catalogue.shop.bucket / "out" / "manifest.jsonl").unlink()


def lost_answer(catalogue: Catalogue) -> None:
    killed(catalogue)
    catalogue.shop.time = catalogue.shop.time.replace(year=catalogue.shop.time.year + 1)


CASES: dict[str, tuple[Callable[[Catalogue], None], dict[str, Any]]] = {
    "fresh": (nothing, {"to_pay": 6}),
    "done": (ran, {"reused": 6}),
    "half done": (half_done, {"to_pay": 3, "reused": 3}),
    "after a kill": (killed, {"to_pay": 4, "reused": 2, "in_doubt": 1.0}),
    "after a kill a year ago": (lost_answer, {"to_pay": 4, "reused": 2, "in_doubt": 1.0}),
    "after refusals": (refused, {"to_pay": 6}),
    "regenerate": (regenerated, {"to_pay": 6}),
    "regenerate, half done": (regenerated_in_part, {"to_pay": 4, "reused": 2}),
    "duplicates": (with_duplicates, {"to_pay": 3, "duplicate": 2, "invalid": 1}),
    "invalid rows": (with_invalid_rows, {"to_pay": 2, "invalid": 4}),
    "removed pictures": (pictures_removed, {"to_pay": 2, "reused": 4}),
    "changed prompts": (prompts_changed, {"to_pay": 3, "reused": 4}),
    "blocked prompts": (some_blocked, {"to_pay": 1, "reused": 3}),
    "no manifest": (manifest_lost, {"reused": 6}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_estimate_tells_to_the_credit_what_the_run_is_charged_and_leaves_all_as_it_was(
    catalogue: Catalogue, sandbox: Sandbox, case: str, tmp_path: Path
) -> None:
    before, expected = CASES[case]
    catalogue.images = 2
    before(catalogue)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sent, paid = len(sandbox.ledger()), charged(sandbox)
    told = catalogue.estimate()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
    assert len(sandbox.ledger()) == sent
    kinds = {name: getattr(told, name) for name in ("to_pay", "reused", "failing", "invalid", "duplicate", "skipped")}
    assert {kind: number for kind, number in kinds.items() if number} == {
        kind: number for kind, number in expected.items() if kind in kinds
    }
    assert told.items == sum(kinds.values()) == Items(catalogue.prompts).count()
    assert told.in_doubt == 2 * expected.get("in_doubt", 0.0)
    counts = catalogue.run()
    assert told.credits == charged(sandbox) - paid == counts.credits
    assert told.most_credits == told.credits
    assert (told.requests, told.reused) == (told.to_pay, counts.reused)


def test_an_answer_that_is_lost_fails_where_it_is_not_to_be_paid_again(catalogue: Catalogue, sandbox: Sandbox) -> None:
    lost_answer(catalogue)
    catalogue.terms = {"on_lost_response": "fail"}
    told, paid = catalogue.estimate(), charged(sandbox)
    assert (told.to_pay, told.failing, told.reused, told.in_doubt) == (3, 1, 2, 1.0)
    assert "on_lost_response='fail'" in told.reasons[0].reason
    assert catalogue.run().by_status == {"done": 5, "failed": 1}
    assert told.credits == charged(sandbox) - paid == 3.0


def test_an_estimate_names_twenty_reasons_of_each_kind_and_is_a_small_xcom(catalogue: Catalogue) -> None:
    catalogue.prompts = ["ab", *lamps(30)]
    told = catalogue.estimate()
    assert len(told.reasons) == 21
    assert (told.reasons[0].row, told.reasons[0].name) == (1, None)
    assert (told.reasons[1].row, told.reasons[1].name) == (2, "L-1")
    assert told.reasons[1].reason == "It has not been requested before"
    stored = json.loads(json.dumps(told.to_json()))
    assert stored["reasons"][1] == {"row": 2, "name": "L-1", "reason": "It has not been requested before"}
    assert {name: value for name, value in stored.items() if name != "reasons"} == {
        "items": 31,
        "to_pay": 30,
        "reused": 0,
        "failing": 0,
        "invalid": 1,
        "duplicate": 0,
        "skipped": 0,
        "credits": 30.0,
        "most_credits": 30.0,
        "requests": 30,
        "in_doubt": 0.0,
        "hours": seconds_needed(PACE, 30) / 3600,
    }


def test_the_ceiling_counts_the_fallbacks_of_what_is_not_done(catalogue: Catalogue, sandbox: Sandbox) -> None:
    catalogue.prompts = [{"prompt": "A lamp", "name": "L"}, {"prompt": "A nude statue", "name": "S"}]
    catalogue.run()
    catalogue.prompts.append({"prompt": "Gore on a wall", "name": "W"})
    catalogue.fallbacks = ["Gore", "A vase"]
    told, paid = catalogue.estimate(), charged(sandbox)
    assert (told.credits, told.most_credits, told.to_pay, told.reused) == (2.0, 5.0, 2, 1)
    catalogue.run()
    assert charged(sandbox) - paid == told.most_credits


def test_receipts_are_read_only_where_there_are_some(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    half_done(catalogue)
    (catalogue.shop.bucket / "out" / "L-2_1.png").unlink()
    read: list[str] = []
    original = receipt_stores.read_if_there
    monkeypatch.setattr(receipt_stores, "read_if_there", lambda uri: read.append(uri) or original(uri))
    assert catalogue.estimate().to_pay == 4
    assert len(read) == 1


def test_many_items_to_be_paid_for_do_not_hide_what_is_wrong_with_the_last(catalogue: Catalogue) -> None:
    catalogue.prompts = [*lamps(30), "ab"]
    told = catalogue.estimate()
    assert (told.to_pay, told.invalid, len(told.reasons)) == (30, 1, 21)
    assert told.reasons[-1].row == 31
    assert "has 2 characters" in told.reasons[-1].reason


def test_rows_that_are_passed_over_cost_nothing(catalogue: Catalogue, sandbox: Sandbox) -> None:
    rows = [ItemRow(1, passed_over="blocked"), *(replace(row, number=row.number + 1) for row in Items(lamps(2)))]
    told = catalogue.estimate(rows)
    assert (told.items, told.skipped, told.to_pay, told.credits) == (3, 1, 2, 2.0)
    assert [reason.row for reason in told.reasons] == [2, 3]
