"""What was paid for a row, as the manifest tells it: a try that reuses a row reads from it which try has paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_claid.fulfilment.receipt import Author, Charge
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.orders.order import Order


def charge_in_row(charge: Charge) -> dict[str, Any]:
    """Return a charge as a row has it: when, how much, and by which task instance."""
    told: dict[str, Any] = {"at": charge.at, "by": charge.author.task, "credits": charge.credits}
    return {**told, "in_doubt": charge.in_doubt} if charge.in_doubt else told


def tell_of_reused(resources: Resources, order: Order | None, row: Mapping[str, Any]) -> None:
    """Tell who has paid for a row that needs no request: an earlier try of this task instance, or another.

    :param order: of a row that is paid for; ``None`` where there is nothing to tell.
    """
    if order is None:
        return
    own = list(_own_charges(row, resources.author))
    if own:
        paths, blocked = row.get("paths", ()), row.get("blocked", 0)
        pictures = len(paths) if isinstance(paths, list) else 0
        resources.events.paid_before(order, own, pictures=pictures, blocked=blocked if type(blocked) is int else 0)
    else:
        resources.events.reused(order)


def _own_charges(row: Mapping[str, Any], author: Author) -> Iterator[Charge]:
    """Yield the charges that a task instance has paid; what a person has spoiled is left out."""
    charges = row.get("charges")
    for told in charges if isinstance(charges, list) else ():
        if isinstance(told, Mapping) and told.get("by") == author.task:
            credits, in_doubt = told.get("credits", 0.0), told.get("in_doubt", 0.0)  # noqa: A001 - Claid's own word
            if isinstance(credits, (int, float)) and isinstance(in_doubt, (int, float)):
                yield Charge(str(told.get("at", "")), author, credits, in_doubt)
