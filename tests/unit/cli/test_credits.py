from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.receipt import Author, Charge, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.plugins.credits import sums
from airflow_claid.plugins.gallery.reports import TaskRef
from tests.unit.cli.conftest import Claid

TODAY = datetime.now(timezone.utc).date().isoformat()
REPORTED = TaskRef("shop", "monday", "sofa")


@pytest.fixture(autouse=True)
def _reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """One task instance has reported; the others were killed, or their runs deleted."""
    days = [
        {"day": TODAY, "operation": "generate_image", "credits": 1234.5, "pictures": 3, "blocked": 1},
        {"day": TODAY, "operation": "submit_edit", "reused": 2.0, "in_doubt": 1.0},
    ]

    def bills_of(dag_ids: Collection[str] | None, since: datetime) -> Iterator[tuple[TaskRef, Any]]:
        if dag_ids is None or "shop" in dag_ids:
            yield REPORTED, {"version": 1, "days": days}

    monkeypatch.setattr(sums, "bills_of", bills_of)


def receipt(number: int, author: Author, *earlier: Charge, **facts: Any) -> Receipt:
    at = f"{TODAY}T00:00:00+00:00"
    known = {"state": ReceiptState.DELIVERED, "images": (DeliveredImage(1, "file:///a.png", False),), "paid_at": at}
    return Receipt(
        fingerprint=f"{number:064x}",
        author=author,
        operation="generate_image",
        base_url="https://api.claid.ai/v1",
        subject="A lamp",
        body={},
        output="",
        name=None,
        asked_at=at,
        earlier=earlier,
        **{**known, **facts},
    )


def test_the_sums_are_a_table_with_their_total(command: Claid) -> None:
    ended = command("credits", "--by", "operation")
    assert ended.code == 0
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[0][:2] == ["OPERATION", "CHARGED"]
    assert lines[1] == ["generate_image", "1,234.5", "0", "0", "3", "25.0", "%", "0"]
    assert lines[-1][:4] == ["all", "1,234.5", "2", "1"]
    assert "task instances that reported: 1" in ended.err


def test_json_is_one_object(command: Claid) -> None:
    told = command("credits", "--by", "day,dag", "--json").json
    assert told["rows"][0]["dag"] == "shop"
    assert (told["total"]["credits"], told["task_instances"]) == (1234.5, 1)
    assert command("credits", "--dag", "other", "--json").json["rows"] == []


@pytest.mark.parametrize(
    "arguments",
    [("--from", "2026-13-01"), ("--from", "2026-03-02", "--to", "2026-03-01"), ("--by", "week"), ("--by", ",")],
)
def test_what_cannot_be_asked_is_a_usage_error(command: Claid, arguments: tuple[str, ...]) -> None:
    ended = command("credits", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert arguments[1] in ended.err


def test_receipts_count_for_those_who_reported_nothing_each_payment_once(command: Claid, tmp_path: Path) -> None:
    store = FolderReceipts(f"file://{tmp_path}/_claid/")
    killed = Author("shop", "killed", "sofa")
    reported = Author("shop", "monday", "sofa")
    before = Charge(f"{TODAY}T00:00:00+00:00", killed, credits=1.0)
    long_ago = Charge("2020-01-01T00:00:00+00:00", killed, credits=8.0)
    for each in (
        receipt(1, killed, credits=1.0),
        receipt(2, reported, credits=5.0),
        receipt(3, reported, before, long_ago, credits=14.0),
        receipt(4, killed, credits=2.0, credits_in_doubt=1.0),
        receipt(5, killed, state=ReceiptState.INTENT, paid_at=None, images=()),
    ):
        store.write(each)
    told = command("credits", "--receipts", f"file://{tmp_path}/", "--json").json
    assert (told["total"]["credits"], told["total"]["in_doubt"]) == (1234.5 + 1 + 1 + 1, 1.0 + 1.0)
    assert (told["of_receipts"], told["unanswered"]) == (1, 1)
