"""Edits that are answered with the picture are the same requests as those that are answered with a job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_claid.client import Answer, ClaidAnswerLostError
from airflow_claid.errors import LostAnswerError
from airflow_claid.fulfilment.receipt import ReceiptState
from airflow_claid.orders.edit import EditOrder
from tests.support.shop import Shop


def edit(shop: Shop, output: str | None = None, *, at_once: bool = True) -> EditOrder:
    link = shop.fulfil(shop.generation()).images[0].path or ""
    return replace(shop.edit(link, output), at_once=at_once)


def edits(shop: Shop) -> list[str]:
    paid = [entry.operation for entry in shop.sandbox.ledger() if entry.credits > 0]
    return [operation for operation in paid if operation != "generate_image"]


def test_it_is_one_request_without_a_job(shop: Shop) -> None:
    order = edit(shop, f"file://{shop.bucket}/small/")
    result = shop.fulfil(order)
    assert result.images[0].path == f"file://{shop.bucket}/small/small.png"
    assert [entry.operation for entry in shop.sandbox.ledger()] == ["generate_image", "edit_image"]
    assert result.credits == shop.receipt(order).credits == 1


def test_the_fingerprint_does_not_tell_how_it_is_answered(shop: Shop) -> None:
    order = edit(shop)
    assert order.fingerprint == replace(order, at_once=False).fingerprint


@pytest.mark.parametrize("at_once", [False, True])
def test_either_takes_over_what_the_other_has_delivered(shop: Shop, at_once: bool) -> None:
    order = edit(shop, f"file://{shop.bucket}/small/", at_once=at_once)
    first = shop.fulfil(order)
    second = shop.fulfil(replace(order, at_once=not at_once), "tuesday")
    assert (second.credits, second.images) == (0, first.images)
    assert edits(shop) == ["edit_image" if at_once else "submit_edit"]


def test_a_job_that_is_under_way_is_polled_not_paid_again(shop: Shop) -> None:
    order = edit(shop, at_once=False)
    shop.sandbox.fault("job_stuck", operation="submit_edit", seconds=0.3)
    with pytest.raises(TimeoutError):
        shop.fulfil(order, timeout=0.0)
    assert shop.receipt(order).state is ReceiptState.SUBMITTED
    shop.sandbox.advance(1.0)
    shop.while_sleeping = lambda: shop.sandbox.advance(1.0)
    result = shop.fulfil(replace(order, at_once=True), "tuesday")
    assert result.images[0].usable
    assert (result.credits, edits(shop)) == (0, ["submit_edit"])


def test_a_picture_that_claid_cannot_reach_is_sent_along(
    shop: Shop,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("unreachable")
    link = shop.fulfil(shop.generation(f"file://{folder}/made/")).images[0].path or ""
    result = shop.fulfil(replace(shop.edit(link, f"file://{folder}/small/"), at_once=True))
    assert result.images[0].usable
    assert edits(shop) == ["upload_and_edit"]


@pytest.mark.parametrize("output", ["storage://shop/small/", "covered"])
def test_a_lost_answer_is_found_at_its_exact_destination(shop: Shop, output: str) -> None:
    address = f"file://{shop.bucket}/small/" if output == "covered" else output
    order = edit(shop, address)
    order = replace(order, landing=shop.storages.covering(address) if output == "covered" else None)
    shop.sandbox.fault("cut", operation="edit_image", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    assert shop.fulfil(order).images[0].path == f"{address}small.png"
    assert edits(shop) == ["edit_image"]
    assert shop.receipt(order).lost_answers == 1


def test_where_nothing_can_be_looked_up_the_user_decides(shop: Shop) -> None:
    order = edit(shop, f"file://{shop.bucket}/small/")
    shop.sandbox.fault("cut", operation="edit_image", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    with pytest.raises(LostAnswerError, match="may have cost 1 credits"):
        shop.fulfil(order, on_lost_response="fail")
    assert edits(shop) == ["edit_image"]
    assert shop.fulfil(order, on_lost_response="resubmit").in_doubt == 1
    assert edits(shop) == ["edit_image", "edit_image"]


def test_an_answer_is_read_as_what_its_call_is_answered_with(shop: Shop) -> None:
    """A kept answer may be of the other way: it repeats the input, which is not the picture that was made."""
    order = edit(shop)
    submitted = Answer("submit_edit", b'{"data": {"id": 7, "request": {"input": "https://x.test/a.png"}}}')
    made = Answer("edit_image", b'{"data": {"id": 7, "output": {"tmp_url": "https://x.test/made.png"}}}')
    for one in (order, replace(order, at_once=False)):
        assert (one.read(submitted).job_id, one.read(submitted).images) == (7, ())
        assert [image.tmp_url for image in one.read(made).images] == ["https://x.test/made.png"]


@pytest.mark.unproven
def test_an_answer_of_a_job_does_not_prove_that_pictures_can_be_read(shop: Shop) -> None:
    fulfilment = shop.fulfilment("monday")
    order = edit(shop, at_once=False)
    fulfilment.fulfil(order)
    assert fulfilment.proof.is_proven(order)
    assert not fulfilment.proof.is_proven(replace(order, at_once=True))
