"""The bill of a task instance: each credit once, on its day, whichever try paid it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from airflow_claid.client import ClaidError
from airflow_claid.fulfilment.bill import Sums, TaskBill, sums_in
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import Author, Receipt
from airflow_claid.orders.order import Order
from tests.support.shop import Shop, impatient

MONDAY = Author("shop", "monday", "pictures", process="a|1|1")


def executed(
    shop: Shop, author: Author, order: Order, *, lost: bool = False, **terms: object
) -> tuple[TaskBill, Exception | None]:
    """Fulfil an order as one process of a task would; return its bill, and the error."""
    bill = TaskBill()
    made: Fulfilment = shop.fulfilment(author.run_id, budget=Budget(events=bill), **terms)
    made = replace(made, author=author, events=bill, client=impatient(shop) if lost else shop.client)
    try:
        made.fulfil(order)
    except ClaidError as error:
        return bill, error
    return bill, None


def told(bill: TaskBill) -> list[tuple[date, str, Sums]]:
    return list(sums_in(bill.to_json()))


def total(bill: TaskBill) -> Sums:
    result = Sums()
    for _, _, sums in told(bill):
        result += sums
    return result


def yesterday(shop: Shop, order: Order) -> date:
    """Let what was paid for an order have been paid a day ago."""
    receipt = shop.receipt(order)
    moments = {name: getattr(receipt, name) for name in ("asked_at", "paid_at")}
    before = shop.time - timedelta(days=1)
    shop.memory.write(receipt.evolve(**{name: before.isoformat() for name, at in moments.items() if at}))
    return before.date()


def test_what_a_task_pays_is_charged(shop: Shop) -> None:
    bill, _ = executed(shop, MONDAY, shop.generation(f"file://{shop.bucket}/a/", images=2))
    assert [(operation, sums) for _, operation, sums in told(bill)] == [
        ("generate_image", Sums(credits=2.0, pictures=2))
    ]


def test_a_retry_reports_what_the_first_try_paid_on_the_day_on_which_it_did(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/a/")
    executed(shop, MONDAY, order)
    day = yesterday(shop, order)
    again, _ = executed(shop, replace(MONDAY, try_number=2, process="a|2|2"), order)
    assert told(again) == [(day, "generate_image", Sums(credits=1.0, pictures=1))]
    assert shop.sandbox.charged() == 1


def test_another_run_reuses_what_was_paid_and_is_charged_nothing(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/a/")
    executed(shop, MONDAY, order)
    bill, _ = executed(shop, replace(MONDAY, run_id="tuesday"), order)
    assert total(bill) == Sums(reused=1.0)


def test_a_clear_that_pays_again_has_both_payments_each_on_its_day(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/a/")
    executed(shop, replace(MONDAY, run_id="sunday"), order)
    executed(shop, MONDAY, order, regenerate=True)
    day = yesterday(shop, order)
    cleared, _ = executed(shop, replace(MONDAY, generation=1, process="a|2|2"), order, regenerate=True)
    assert [(when == day, sums.credits) for when, _, sums in told(cleared)] == [(True, 1.0), (False, 1.0)]
    assert shop.sandbox.charged() == 3
    assert [charge.author.run_id for charge in shop.receipt(order).charges] == ["sunday", "monday", "monday"]
    assert Receipt.from_json(shop.receipt(order).to_json()) == shop.receipt(order)


def test_a_lost_answer_is_in_doubt_in_each_try(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/a/")
    shop.sandbox.fault("cut", operation="generate_image", charged=True)
    first, error = executed(shop, MONDAY, order, lost=True)
    assert error is not None
    assert total(first) == Sums(in_doubt=1.0)
    second, _ = executed(shop, replace(MONDAY, try_number=2, process="a|2|2"), order)
    assert total(second) == Sums(credits=1.0, in_doubt=1.0, pictures=1)
    third, _ = executed(shop, replace(MONDAY, try_number=3, process="a|3|3"), order)
    assert total(third) == total(second)
    assert shop.sandbox.charged() == 2


def test_a_lost_answer_that_is_found_is_charged_once_on_the_day_on_which_it_was_sent(shop: Shop) -> None:
    order = shop.generation("storage://shop/a/")
    shop.sandbox.fault("cut", operation="generate_image", charged=True)
    executed(shop, MONDAY, order, lost=True)
    day = yesterday(shop, order)
    second, _ = executed(shop, replace(MONDAY, try_number=2, process="a|2|2"), order)
    assert [(when == day, sums.credits, sums.in_doubt) for when, _, sums in told(second) if sums.credits] == [
        (True, 1.0, 0.0)
    ]
    assert total(second).in_doubt == 0
    assert shop.sandbox.charged() == 1


@pytest.mark.parametrize(
    "value", [None, "x", [], {"version": 2, "days": []}, {"version": 1}, {"version": 1, "days": [{"day": "x"}, 3]},
              {"version": 1, "days": [{"day": "2026-11-26", "operation": "a", "credits": "9"}]}],
)  # fmt: skip
def test_what_is_no_bill_adds_nothing(value: object) -> None:
    assert list(sums_in(value)) == []


def test_only_a_429_counts_as_one() -> None:
    bill = TaskBill()
    for status in (429, 422, 429):
        bill.refused("submit_edit", status)
    assert total(bill) == Sums(rate_limited=2)
