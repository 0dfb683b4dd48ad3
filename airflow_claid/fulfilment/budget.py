"""What one execution may spend."""

from __future__ import annotations

from airflow_claid.client.text import shortened
from airflow_claid.errors import CreditCeilingError
from airflow_claid.orders.order import Order


def check_ceiling(order: Order, spent: float, ceiling: float | None) -> None:
    """Make sure that an order may be paid.

    :param spent: credits that this execution has spent, or is about to.
    :param ceiling: ``max_credits``.
    :raises CreditCeilingError: if it would pass the ceiling.
    """
    if ceiling is not None and spent + order.credits > ceiling:
        raise CreditCeilingError(
            f"{shortened(order.subject)} would cost {order.credits:g} credits on top of {spent:g} spent by this "
            f"execution; max_credits={ceiling:g}. It was not sent. Raise max_credits, then clear the task: what is "
            "paid is not paid again."
        )
