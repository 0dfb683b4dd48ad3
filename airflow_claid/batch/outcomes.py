"""The rows of a manifest: the result of each item."""

from __future__ import annotations

from typing import Any

from airflow_claid.batch.items import ItemRow
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.orders.order import Order

_NAME_CHARACTERS = 200
_PROMPT_CHARACTERS = 2000


def invalid(row: ItemRow, problem: str) -> dict[str, Any]:
    """Return the row of an item that cannot be requested."""
    name, prompt = _shown(row.name, _NAME_CHARACTERS), _shown(row.values.get("prompt"), _PROMPT_CHARACTERS)
    return {"name": name, "prompt": prompt, "fingerprint": None, "status": "invalid", "error": problem}


def overwriting(order: Order, problem: str) -> dict[str, Any]:
    """Return the row of an item whose pictures would overwrite those of another."""
    return {**_facts(order), "status": "invalid", "error": problem}


def duplicate(order: Order, first: int) -> dict[str, Any]:
    """Return the row of an item that repeats the request of an earlier row."""
    return {**_facts(order), "status": "duplicate", "of": first}


def fulfilled(order: Order, result: Fulfilled) -> dict[str, Any]:
    """Return the row of an item that has usable or blocked pictures."""
    usable = [image for image in result.images if image.usable]
    return {
        **_facts(order),
        "status": "done" if usable else "blocked",
        "paths": [image.path for image in usable],
        "checksums": [image.checksum for image in usable],
        "bytes": [image.bytes for image in usable],
        "blocked": sum(image.blocked is True for image in result.images),
        "credits": result.charged - result.in_doubt,
        "credits_in_doubt": result.in_doubt,
        "request_id": result.request_id,
    }


def failed(order: Order, error: Exception, cost: dict[str, float | None]) -> dict[str, Any]:
    """Return the row of an item that failed.

    :param cost: what it has cost nevertheless; see :func:`cost_of`.
    """
    return {**_facts(order), "status": "failed", "error": f"{type(error).__name__}: {error}", **cost}


def cost_of(order: Order, receipt: Receipt | None) -> dict[str, float | None]:
    """Return what a failed item has cost, in this execution and before."""
    if receipt is None:
        return {"credits": 0.0, "credits_in_doubt": 0.0}
    lost = order.credits if receipt.state is ReceiptState.INTENT else 0.0
    return {"credits": receipt.credits - receipt.credits_in_doubt, "credits_in_doubt": receipt.credits_in_doubt + lost}


UNKNOWN_COST: dict[str, float | None] = {"credits": None, "credits_in_doubt": None}
"""The cost of an item whose receipt cannot be read."""


def _shown(value: object, characters: int) -> str | None:
    """Return what a row gave, as a text; Python writes no integer of very many digits."""
    if value is None:
        return None
    try:
        return str(value)[:characters]
    except ValueError:
        return f"({type(value).__name__})"


def _facts(order: Order) -> dict[str, Any]:
    return {"name": order.name, "prompt": order.prompt, "fingerprint": order.fingerprint}
