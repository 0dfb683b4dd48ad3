"""A receipt does not say its price: it is that of what was sent."""

from __future__ import annotations

import json

import pytest

from airflow_claid.client.prices import price_of
from airflow_claid.orders import batch_edit
from tests.unit.orders.test_fingerprints_of_before import OPERATORS, files_in, orders


@pytest.mark.parametrize("name", OPERATORS)
def test_what_a_receipt_keeps_has_the_price_of_the_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_edit, "list_files", files_in)
    for order in orders(OPERATORS[name]()):
        kept = json.loads(json.dumps(order.recorded))
        only_claid_knows = "folder" in name
        assert price_of(order.operation, kept) == (None if only_claid_knows else order.credits)


def test_a_body_that_somebody_spoiled_has_the_least_price() -> None:
    assert price_of("generate_image", {"options": {"number_of_images": "many"}}) == 1
    assert price_of("submit_video", {"options": "none"}) == 35
    assert price_of("submit_unheard_of", {}) is None
