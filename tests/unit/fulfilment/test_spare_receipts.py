"""Receipts that cannot be written where they belong, after their request was paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.errors import ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.fulfilment.spare_receipts import SparedReceipts, SpareReceipts, SpoolSpare, TaskStateSpare
from tests.unit.fulfilment.test_receipt_stores import FINGERPRINT, RECEIPT, BrokenStore, Store

INTENT, PAID, DELIVERED = (
    RECEIPT.evolve(state=state) for state in (ReceiptState.INTENT, ReceiptState.PAID, ReceiptState.DELIVERED)
)
OTHER = "0" * 64


class Refusing(FolderReceipts):
    """A folder that may become read-only."""

    refuses = False

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        if self.refuses:
            raise PermissionError(13, "Permission denied")
        super().write(receipt, replace=replace)


class CountingStore(Store):
    """A task state that counts how often it is asked."""

    asked = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.asked += 1
        return super().get(key, default)


class ReadOnlyStore(Store):
    """A task state that takes nothing."""

    def set(self, key: str, value: Any) -> None:
        raise ConnectionError("the API server is away")


@pytest.fixture
def folder(tmp_path: Path) -> Refusing:
    return Refusing(f"file://{tmp_path}/_claid/")


@pytest.fixture(params=["task state", "spool", "task state away"])
def spares(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SpareReceipts]:
    """Returns the second places as each new try of a task opens them."""
    state, away = Store(), ReadOnlyStore()
    spool = tmp_path / "home" / "claid_receipts"
    return {
        "task state": lambda: SpareReceipts([TaskStateSpare(state)]),
        "spool": lambda: SpareReceipts([SpoolSpare(spool)]),
        "task state away": lambda: SpareReceipts([TaskStateSpare(away), SpoolSpare(spool)]),
    }[request.param]


def test_a_paid_answer_is_kept_in_the_second_place_and_the_next_try_finds_it(
    folder: Refusing, spares: Callable[[], SpareReceipts]
) -> None:
    store = SparedReceipts(folder, spares())
    assert store.create(INTENT)
    folder.refuses = True
    for _ in range(3):
        with pytest.raises(PermissionError):
            store.write(PAID)
    assert store.read(FINGERPRINT) == PAID
    assert SparedReceipts(folder, spares()).read(FINGERPRINT) == PAID
    assert folder.read(FINGERPRINT) == INTENT


def test_the_pictures_are_delivered_all_the_same_and_the_next_try_reuses_them(
    folder: Refusing, spares: Callable[[], SpareReceipts]
) -> None:
    store = SparedReceipts(folder, spares())
    store.create(INTENT)
    folder.refuses = True
    with pytest.raises(PermissionError):
        store.write(PAID)
    first, *others = PAID.images
    store.write(PAID.evolve(images=(first.evolve(path="s3://bucket/a.png"), *others)))
    store.write(DELIVERED, replace=True)
    assert SparedReceipts(folder, spares()).read(FINGERPRINT) == DELIVERED


def test_a_delivered_receipt_that_alone_cannot_be_written_fails_nobody(
    folder: Refusing, spares: Callable[[], SpareReceipts]
) -> None:
    store = SparedReceipts(folder, spares())
    store.create(INTENT)
    store.write(PAID)
    folder.refuses = True
    store.write(DELIVERED)
    assert SparedReceipts(folder, spares()).read(FINGERPRINT) == DELIVERED


def test_what_is_written_where_it_belongs_is_forgotten_in_the_second_place(
    folder: Refusing, spares: Callable[[], SpareReceipts]
) -> None:
    store = SparedReceipts(folder, spares())
    store.create(INTENT)
    folder.refuses = True
    with pytest.raises(PermissionError):
        store.write(PAID)
    folder.refuses = False
    again = spares()
    SparedReceipts(folder, again).read(FINGERPRINT)
    SparedReceipts(folder, again).write(DELIVERED)
    assert folder.read(FINGERPRINT) == DELIVERED
    assert spares().get(FINGERPRINT) is None


@pytest.mark.parametrize(
    "first",
    [
        INTENT.evolve(edition=3),
        INTENT.evolve(asked_at="2026-10-02T10:00:00+00:00"),
        PAID,
        DELIVERED.evolve(credits=9.0),
    ],
)
def test_a_first_place_that_has_gone_further_counts(
    folder: Refusing, spares: Callable[[], SpareReceipts], first: Receipt
) -> None:
    assert spares().keep(PAID)
    folder.create(first)
    assert SparedReceipts(folder, spares()).read(FINGERPRINT) == first


def test_of_two_second_places_the_one_that_has_gone_further_counts(folder: Refusing, tmp_path: Path) -> None:
    state, spool = Store(), SpoolSpare(tmp_path / "spool")
    for first, second in ((PAID, DELIVERED), (DELIVERED, PAID)):
        TaskStateSpare(state).keep(first)
        spool.keep(second)
        assert SpareReceipts([TaskStateSpare(state), spool]).get(FINGERPRINT) == DELIVERED


def test_each_second_place_keeps_the_receipt_for_the_tries_that_it_serves(tmp_path: Path) -> None:
    state, spool = Store(), SpoolSpare(tmp_path / "spool")
    SpareReceipts([TaskStateSpare(state), spool]).keep(PAID)
    assert TaskStateSpare(state).load() == spool.load() == {FINGERPRINT: PAID}


def test_a_receipt_that_somebody_deleted_to_pay_again_stays_deleted(
    folder: Refusing, spares: Callable[[], SpareReceipts]
) -> None:
    assert spares().keep(PAID)
    assert SparedReceipts(folder, spares()).read(FINGERPRINT) is None


@pytest.mark.parametrize("state", [ReceiptState.INTENT, ReceiptState.REFUSED])
def test_what_is_not_sent_needs_no_second_place(
    folder: Refusing, spares: Callable[[], SpareReceipts], state: ReceiptState
) -> None:
    folder.refuses = True
    with pytest.raises(PermissionError):
        SparedReceipts(folder, spares()).write(RECEIPT.evolve(state=state))
    assert spares().get(FINGERPRINT) is None


def test_where_no_place_takes_it_the_error_is_that_of_the_first(folder: Refusing) -> None:
    store = SparedReceipts(folder, SpareReceipts([TaskStateSpare(ReadOnlyStore())]))
    store.create(INTENT)
    folder.refuses = True
    for receipt in (PAID, DELIVERED):
        with pytest.raises(PermissionError):
            store.write(receipt)


def test_the_second_place_is_asked_once_a_task_and_not_for_receipts_that_need_it_not(folder: Refusing) -> None:
    state = CountingStore()
    store = SparedReceipts(folder, SpareReceipts([TaskStateSpare(state)]))
    assert store.read(OTHER) is None
    folder.create(DELIVERED)
    assert store.read(FINGERPRINT) == DELIVERED
    assert state.asked == 0
    for number in range(5):
        receipt = INTENT.evolve(fingerprint=f"{number}" * 64)
        folder.create(receipt)
        assert store.read(receipt.fingerprint) == receipt
    assert state.asked == 1


def test_a_second_place_that_cannot_be_asked_is_not_taken_for_an_empty_one(folder: Refusing) -> None:
    folder.create(INTENT)
    store = SparedReceipts(folder, SpareReceipts([TaskStateSpare(BrokenStore())]))
    with pytest.raises(ReceiptUnreadableError, match=r"second place .* nothing was charged"):
        store.read(FINGERPRINT)


def test_one_spoiled_file_on_this_machine_concerns_its_own_request_only(folder: Refusing, tmp_path: Path) -> None:
    spool = SpoolSpare(tmp_path / "spool")
    spool.keep(PAID)
    (tmp_path / "spool" / f"{OTHER}.json").write_text("{")
    folder.create(INTENT)
    folder.create(INTENT.evolve(fingerprint=OTHER))
    store = SparedReceipts(folder, SpareReceipts([spool]))
    assert store.read(FINGERPRINT) == PAID
    with pytest.raises(ReceiptUnreadableError, match=OTHER):
        store.read(OTHER)


def test_files_on_this_machine_hold_one_state_and_are_nobody_elses(tmp_path: Path) -> None:
    spool = SpoolSpare(tmp_path / "spool")
    spool.keep(PAID)
    spool.keep(DELIVERED)
    [file] = (tmp_path / "spool").iterdir()
    assert json.loads(file.read_text())["state"] == "delivered"
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_this_machines_place_is_beside_airflows_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    SpoolSpare.of_this_machine().keep(PAID)
    assert (tmp_path / "claid_receipts" / f"{FINGERPRINT}.json").exists()
