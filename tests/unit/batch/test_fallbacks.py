"""A prompt whose pictures are blocked is followed by the next one of its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.client import GenerateRequest
from airflow_claid.client.models.ai_edit import AIEditOptions
from airflow_claid.orders.ai_edit import AIEditOrder
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.orders.order import Order
from airflow_claid.storage.places import generation_place
from tests.support.job_batch import Shop

BLOCKED = "a WORD lamp"
Prompted = Callable[[Shop, ItemRow, str], Order]


def generated(shop: Shop, row: ItemRow, prompt: str) -> Order:
    place = generation_place(f"file://{shop.folder}/out/")
    request = GenerateRequest.of(prompt)
    return GenerateOrder(base_url=shop.client.base_url, place=place, name=f"item-{row.number}", request=request)


def edited(shop: Shop, row: ItemRow, prompt: str) -> Order:
    order = shop.order(row)
    assert isinstance(order, AIEditOrder)
    return replace(order, name=f"item-{row.number}", options=AIEditOptions(prompt=prompt))


def nameless(shop: Shop, row: ItemRow, prompt: str) -> Order:
    return replace(generated(shop, row, prompt), name=None)


def with_prompts(
    shop: Shop, make: Prompted, prompts: Callable[[ItemRow], Sequence[str]]
) -> Callable[[ItemRow], Sequence[Order]]:
    return lambda row: [make(shop, row, prompt) for prompt in prompts(row)]


@pytest.fixture
def shop(shop: Shop) -> Shop:
    shop.sandbox.change(blocked_words=("word",))
    return shop


@pytest.mark.parametrize(("make", "price"), [(generated, 1), (edited, 2)])
def test_the_next_prompt_is_asked_as_long_as_all_is_blocked(shop: Shop, make: Prompted, price: int) -> None:
    prompts = [f"{BLOCKED} one", f"{BLOCKED} two", "a plain lamp", "never asked"]
    shop.order_of = with_prompts(shop, make, lambda row: prompts if row.number == 2 else ["a chair", *prompts])
    assert shop.run(3).by_status == {"done": 3}
    first, second, _ = shop.lines
    assert "fallback" not in first
    assert (second["prompt"], second["fallback"], second["blocked"]) == ("a plain lamp", 2, 2)
    assert (second["credits"], len(second["paths"])) == (3 * price, 1)
    assert second["fingerprint"] == make(shop, ItemRow(2, {"prompt": "a lamp"}), prompts[0]).fingerprint
    assert shop.sandbox.charged() == 5 * price == sum(line["credits"] for line in shop.lines)
    assert shop.run(3, "tuesday").reused == 3
    assert shop.lines[1]["prompt"] == "a plain lamp"
    assert shop.sandbox.charged() == 5 * price


def test_the_receipt_of_a_fallback_names_what_it_is_in_place_of(shop: Shop) -> None:
    shop.order_of = with_prompts(shop, generated, lambda row: [BLOCKED, "a plain lamp"])
    shop.run(1)
    first, second = shop.order_of(ItemRow(1, {"prompt": "a lamp"}))
    receipts = [shop.receipts.read(order.fingerprint) for order in (first, second)]
    assert [receipt.fallback_of for receipt in receipts if receipt] == [None, first.fingerprint]


def test_what_is_blocked_to_the_end_is_blocked_and_goes_on_with_new_prompts_only(shop: Shop) -> None:
    prompts = [f"{BLOCKED} one", f"{BLOCKED} two"]
    shop.order_of = with_prompts(shop, generated, lambda row: prompts)
    assert shop.run(1).by_status == {"blocked": 1}
    assert (shop.lines[0]["fallback"], shop.lines[0]["credits"]) == (1, 2)
    assert shop.run(1, "tuesday").reused == 1
    assert shop.sandbox.charged() == 2
    prompts.append("a plain lamp")
    counts = shop.run(1, "wednesday")
    assert (counts.by_status, counts.credits, shop.sandbox.charged()) == ({"done": 1}, 1, 3)
    assert (shop.lines[0]["fallback"], shop.lines[0]["credits"]) == (2, 3)


def test_a_last_fallback_that_was_changed_is_asked(shop: Shop) -> None:
    prompts = [BLOCKED, f"{BLOCKED} two"]
    shop.order_of = with_prompts(shop, generated, lambda row: prompts)
    shop.run(1)
    prompts[1] = "a plain lamp"
    assert shop.run(1, "tuesday").by_status == {"done": 1}
    assert shop.sandbox.charged() == 3


def test_a_fallback_that_fails_keeps_what_was_paid_and_the_next_run_asks_only_for_it(shop: Shop) -> None:
    shop.order_of = with_prompts(shop, edited, lambda row: [BLOCKED, "a plain lamp"])
    shop.sandbox.fault("job_error", operation="submit_ai_edit", prompt="plain")
    assert shop.run(1).by_status == {"failed": 1}
    assert (shop.lines[0]["credits"], shop.lines[0]["prompt"]) == (4, "a plain lamp")
    assert shop.run(1, "tuesday").by_status == {"done": 1}
    assert (shop.submitted, shop.lines[0]["credits"]) == (3, 6)


def test_rows_that_share_a_fallback_pay_for_it_once(shop: Shop) -> None:
    shop.order_of = with_prompts(
        shop, nameless, lambda row: ["a plain lamp"] if row.number == 7 else [f"{BLOCKED} {row.number}", "a plain lamp"]
    )
    shop.sandbox.fault("latency", operation="generate_image", prompt="plain", seconds=0.5)
    assert shop.run(12).by_status == {"done": 12}
    assert shop.sandbox.charged() == 12
