"""The rows of a manifest: the result of each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_claid.batch.charges import charge_in_row
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.client import ClaidValidationError
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.orders.order import Order
from airflow_claid.storage.stored_files import StoredFile

_NAME_CHARACTERS = 200
_PROMPT_CHARACTERS = 2000


def invalid(row: ItemRow, problem: str) -> dict[str, Any]:
    """Return the row of an item that cannot be requested."""
    return {**_without_order(row), "status": "invalid", "error": problem}


def skipped(row: ItemRow) -> dict[str, Any]:
    """Return the row of an item with which there is nothing to do."""
    return {**_without_order(row), "status": "skipped", "reason": row.passed_over, "credits": 0.0}


def overwriting(order: Order, problem: str, carried: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an item whose pictures would overwrite those of another."""
    return {**facts(order, carried), "status": "invalid", "error": problem}


def duplicate(order: Order, first: int, carried: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an item that repeats the request of an earlier row."""
    return {**facts(order, carried), "status": "duplicate", "of": first}


def fulfilled(
    order: Order, result: Fulfilled, carried: Mapping[str, Any], blocked: Sequence[Fulfilled] = ()
) -> dict[str, Any]:
    """Return the row of an item that has usable or blocked pictures.

    :param blocked: the results of the orders before, of which this one is a fallback.
    """
    usable = [image for image in result.images if image.usable]
    all_results = (*blocked, result)
    in_doubt = sum(one.in_doubt for one in all_results)
    return {
        **_facts_after(order, carried, blocked),
        "status": "done" if usable else "blocked",
        "paths": [image.path for image in usable],
        "checksums": [image.checksum for image in usable],
        "bytes": [image.bytes for image in usable],
        "blocked": sum(image.blocked is True for one in all_results for image in one.images),
        "credits": sum(one.charged for one in all_results) - in_doubt,
        "credits_in_doubt": in_doubt,
        "charges": [charge_in_row(charge) for one in all_results for charge in one.charges],
        "request_id": result.request_id,
    }


def failed(
    order: Order,
    error: Exception,
    cost: Mapping[str, float | None],
    carried: Mapping[str, Any],
    blocked: Sequence[Fulfilled] = (),
) -> dict[str, Any]:
    """Return the row of an item that failed; one that could not even be sent, as a picture out of reach, is invalid.

    :param cost: what the order has cost nevertheless; see :func:`cost_of`.
    :param blocked: as for :func:`fulfilled`.
    """
    before = {
        "credits": sum(one.charged - one.in_doubt for one in blocked),
        "credits_in_doubt": sum(one.in_doubt for one in blocked),
    }
    total = {name: None if value is None else value + before[name] for name, value in cost.items()}
    known = _facts_after(order, carried, blocked)
    return {
        **known,
        "status": "invalid" if isinstance(error, ClaidValidationError) else "failed",
        "error": f"{type(error).__name__}: {error}",
        **total,
    }


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


def carried_on(row: ItemRow) -> dict[str, Any]:
    """Return what the manifest tells of a row, whatever order is made of it."""
    return {**row.carried, **({"listed": state_listed(row.file)} if row.file else {})}


def state_listed(file: StoredFile) -> str:
    """Return the state of a picture that a folder listed: as long as it is the same, so is the content."""
    return file.checksum or file.state


def facts(order: Order, carried: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest tells of an item, whatever became of it.

    :param carried: see :func:`carried_on`.
    """
    picture = {} if order.input is None else {"input": order.input, "version": order.version}
    return {"name": order.name, "prompt": order.prompt, **carried, **picture, "fingerprint": order.fingerprint}


def _facts_after(order: Order, carried: Mapping[str, Any], blocked: Sequence[Fulfilled]) -> dict[str, Any]:
    """Return the facts of an item: it is known by its first order, and tells the prompt of its last."""
    if not blocked:
        return facts(order, carried)
    return {**facts(blocked[0].order, carried), "prompt": order.prompt, "fallback": len(blocked)}


def _without_order(row: ItemRow) -> dict[str, Any]:
    name, prompt = _shown(row.name, _NAME_CHARACTERS), _shown(row.values.get("prompt"), _PROMPT_CHARACTERS)
    return {"name": name, "prompt": prompt, **carried_on(row), "fingerprint": None}
