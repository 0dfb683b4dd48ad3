"""Every paid request is counted once under the spend limits, whatever becomes of it and of who sends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from airflow_claid.client import Answer, Call, ClaidAnswerLostError, ClaidClient
from airflow_claid.client.quota.quota import Quota
from airflow_claid.client.spending.spending import Spending
from airflow_claid.errors import LostAnswerError, SpendLimitError, SpendStoreError
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.fulfilment.receipt import ReceiptState
from airflow_claid.fulfilment.receipt_stores import NoReceipts, ReceiptStore
from airflow_claid.orders.order import Order
from tests.support.processes import free_port
from tests.support.shop import Memory, Shop
from tests.support.spending import Limited


class _KilledError(BaseException):
    """The end of a process: nothing that it would do afterwards is done."""


Try = Callable[..., Fulfilled]


@pytest.fixture
def fulfil(shop: Shop, limited: Limited) -> Try:
    """Fulfils an order as a new try of the task, under the spend limit."""

    def one(order: Order, store: ReceiptStore | None = None, run_id: str = "monday", **terms: object) -> Fulfilled:
        budget = Budget(spending=limited.spending())
        return shop.fulfilment(run_id, store, budget=budget, **terms).fulfil(order)

    return one


@contextmanager
def killed(owner: object, name: str, *, after: bool) -> Iterator[None]:
    """Kill the process before or after a method: nothing is told to the Redis from then on."""
    method = getattr(owner, name)

    def run(*args: object, **options: object) -> None:
        patch.setattr(Spending, "_end", lambda *args, **options: None)
        if after:
            method(*args, **options)
        raise _KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, run)
        with pytest.raises(_KilledError):
            yield


def test_what_is_paid_for_counts_once_however_often_it_is_asked_for(shop: Shop, limited: Limited, fulfil: Try) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/", images=3)
    for run_id in ("monday", "monday", "tuesday"):
        fulfil(order, run_id=run_id)
    assert (shop.sandbox.charged(), limited.left) == (3, 7)


def test_what_would_exceed_the_limit_is_not_sent_and_leaves_no_intent(
    shop: Shop, limited: Limited, fulfil: Try
) -> None:
    limited.spending().add(8)
    order = shop.generation(f"file://{shop.bucket}/out/", images=3)
    with pytest.raises(SpendLimitError, match="'A brass lamp' would cost 3 credits on top of 8 used"):
        fulfil(order)
    assert shop.memory.states == []
    assert (shop.sandbox.charged(), limited.left) == (0, 2)


def test_without_the_redis_nothing_is_sent(shop: Shop, limited: Limited, fulfil: Try) -> None:
    limited.url = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(SpendStoreError):
        fulfil(shop.generation(f"file://{shop.bucket}/out/"))
    assert shop.memory.states == []
    assert shop.sandbox.ledger("generate_image") == []


def test_what_was_refused_is_free_again(shop: Shop, limited: Limited, fulfil: Try) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    with (
        ClaidClient("unknown-key-0000", shop.sandbox.url, quota=Quota(())) as shop.client,
        pytest.raises(Exception, match="401"),
    ):
        fulfil(order)
    assert limited.left == 10


def test_a_try_killed_before_its_intent_is_counted_once_with_the_next(
    shop: Shop, limited: Limited, fulfil: Try
) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    with killed(Memory, "create", after=False):
        fulfil(order)
    assert limited.left == 9
    fulfil(order)
    assert (shop.sandbox.charged(), limited.left) == (1, 9)


def test_a_try_killed_after_sending_whose_pictures_are_found_is_counted_once(
    shop: Shop, limited: Limited, fulfil: Try
) -> None:
    order = shop.generation("storage://shop/spring/")
    with killed(shop.client, "send", after=True):
        fulfil(order)
    assert shop.receipt(order).state is ReceiptState.INTENT
    assert limited.left == 9
    fulfil(order)
    assert (shop.sandbox.charged(), limited.left) == (1, 9)


def test_a_try_killed_after_sending_whose_request_is_sent_again_is_counted_twice(
    shop: Shop, limited: Limited, fulfil: Try
) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    with killed(shop.client, "send", after=True):
        fulfil(order)
    fulfil(order, grace=0.0)
    assert (shop.sandbox.charged(), limited.left) == (2, 8)


@pytest.mark.parametrize("on_lost_response", ["fail", "resubmit"])
def test_what_is_in_doubt_counts_as_spent(shop: Shop, limited: Limited, fulfil: Try, on_lost_response: str) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.sandbox.fault("cut", operation="generate_image", charged=False)
    with pytest.raises(ClaidAnswerLostError):
        fulfil(order)
    assert limited.left == 9
    if on_lost_response == "fail":
        with pytest.raises(LostAnswerError):
            fulfil(order, on_lost_response="fail", grace=0.0)
        assert limited.left == 9
    else:
        fulfil(order, grace=0.0)
        assert limited.left == 8


def test_a_lost_answer_whose_pictures_are_found_is_counted_once(shop: Shop, limited: Limited, fulfil: Try) -> None:
    order = shop.generation("storage://shop/spring/", images=2)
    shop.sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        fulfil(order)
    fulfil(order)
    assert (shop.sandbox.charged(), limited.left) == (2, 8)


def test_without_receipts_each_request_counts(shop: Shop, limited: Limited, fulfil: Try) -> None:
    order = shop.generation()
    with killed(shop.client, "send", after=True):
        fulfil(order, NoReceipts())
    fulfil(order, NoReceipts())
    assert (shop.sandbox.charged(), limited.left) == (2, 8)


def test_a_request_that_is_interrupted_while_it_is_sent_counts_as_spent(shop: Shop, limited: Limited) -> None:
    class Interrupted(ClaidClient):
        def send(self, call: Call) -> Answer:
            super().send(call)
            raise TimeoutError("the task ran out of time")

    client = Interrupted(shop.sandbox.api_key, shop.sandbox.url, quota=Quota(()))
    budget = Budget(2, spending=limited.spending())
    with pytest.raises(TimeoutError):
        replace(shop.fulfilment("monday", budget=budget), client=client).fulfil(
            shop.generation(f"file://{shop.bucket}/out/")
        )
    assert (shop.sandbox.charged(), limited.left) == (1, 9)
    assert (budget.spent, budget.in_doubt) == (0, 1)


def test_two_task_instances_that_send_the_same_request_are_both_counted(shop: Shop, limited: Limited) -> None:
    spending = limited.spending()
    for run_id in ("monday", "tuesday"):
        fulfilment = shop.fulfilment(run_id, Memory(), budget=Budget(spending=spending))
        fulfilment.fulfil(shop.generation(f"file://{shop.bucket}/out/"))
    assert (shop.sandbox.charged(), limited.left) == (2, 8)
