"""Who has paid what for an order: this process, an earlier one of the same task instance, or another task instance.

Airflow clears a task's XComs when it tries again, so each try reports what the tries before it have paid as well. What
another task instance has paid is in that one's report.
"""

from __future__ import annotations

from airflow_claid.fulfilment.receipt import Author, Charge, Receipt, ReceiptState
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.orders.order import Order


def charges_of(receipt: Receipt, author: Author, price: float) -> list[Charge]:
    """Return what a task instance has paid for a request, in any try, by its receipt.

    :param author: one of the tries.
    :param price: of the request; that of one without an answer is in doubt.
    """
    charges = list(receipt.charges)
    if receipt.state is ReceiptState.INTENT:
        charges.append(Charge(receipt.asked_at or "", receipt.author, in_doubt=price))
    return [charge for charge in charges if charge.author.is_same_task(author)]


def is_paid_by_another(receipt: Receipt, author: Author) -> bool:
    """Return whether a request is paid for, and only by other task instances."""
    return receipt.state.is_paid and not any(charge.author.is_same_task(author) for charge in receipt.charges)


def tell_of_earlier_charges(resources: Resources, order: Order, found: Receipt) -> None:
    """Tell what this task instance has paid for an order before.

    :param found: its receipt, before more is paid for it.
    """
    earlier = charges_of(found, resources.author, order.credits)
    if earlier:
        blocked = sum(bool(image.blocked) for image in found.images) if found.state.is_final else 0
        usable = len(found.images) - blocked if found.state.is_final else 0
        resources.events.paid_before(order, earlier, pictures=usable, blocked=blocked)
