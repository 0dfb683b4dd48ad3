"""What happens to orders, told to whoever counts it: Airflow's metrics, in a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from airflow_claid.fulfilment.receipt import Charge
from airflow_claid.orders.order import Order


class Events(Protocol):
    """Is told what happens; must not raise, and is called from many threads."""

    def charged(self, order: Order, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Tell that credits were charged for an order; fewer than was told before, if negative."""

    def answer_lost(self, order: Order, credits: float) -> None:  # noqa: A002
        """Tell that the answer to a request is lost, which may have cost these credits."""

    def answer_found(self, order: Order, credits: float) -> None:  # noqa: A002
        """Tell that a lost answer is found after all, so that these credits were charged."""

    def paid_before(self, order: Order, charges: Sequence[Charge], *, pictures: int, blocked: int) -> None:
        """Tell what the same task instance has paid for an order before, also in this process.

        :param charges: one or more.
        :param pictures: usable ones that are complete already; ``blocked`` likewise.
        """

    def reused(self, order: Order) -> None:
        """Tell that an order is not paid for, because another task instance has paid for it."""

    def delivered(self, order: Order, *, pictures: int, blocked: int) -> None:
        """Tell that an order is complete, with so many usable pictures and so many blocked ones."""

    def refused(self, operation: str, status: int) -> None:
        """Tell that Claid refused a request, which was not charged."""

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Tell how many jobs are waited for, and the share of the quota that is used."""


class NoEvents:
    """Counts nothing."""

    def charged(self, order: Order, credits: float) -> None:  # noqa: A002
        """Do nothing."""

    def answer_lost(self, order: Order, credits: float) -> None:  # noqa: A002
        """Do nothing."""

    def answer_found(self, order: Order, credits: float) -> None:  # noqa: A002
        """Do nothing."""

    def paid_before(self, order: Order, charges: Sequence[Charge], *, pictures: int, blocked: int) -> None:
        """Do nothing."""

    def reused(self, order: Order) -> None:
        """Do nothing."""

    def delivered(self, order: Order, *, pictures: int, blocked: int) -> None:
        """Do nothing."""

    def refused(self, operation: str, status: int) -> None:
        """Do nothing."""

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Do nothing."""


class AllEvents:
    """Passes what happens on to several others.

    :param others: to whom.
    """

    def __init__(self, *others: Events) -> None:
        self._others = others

    def charged(self, order: Order, credits: float) -> None:  # noqa: A002
        """Pass it on."""
        for one in self._others:
            one.charged(order, credits)

    def answer_lost(self, order: Order, credits: float) -> None:  # noqa: A002
        """Pass it on."""
        for one in self._others:
            one.answer_lost(order, credits)

    def answer_found(self, order: Order, credits: float) -> None:  # noqa: A002
        """Pass it on."""
        for one in self._others:
            one.answer_found(order, credits)

    def paid_before(self, order: Order, charges: Sequence[Charge], *, pictures: int, blocked: int) -> None:
        """Pass it on."""
        for one in self._others:
            one.paid_before(order, charges, pictures=pictures, blocked=blocked)

    def reused(self, order: Order) -> None:
        """Pass it on."""
        for one in self._others:
            one.reused(order)

    def delivered(self, order: Order, *, pictures: int, blocked: int) -> None:
        """Pass it on."""
        for one in self._others:
            one.delivered(order, pictures=pictures, blocked=blocked)

    def refused(self, operation: str, status: int) -> None:
        """Pass it on."""
        for one in self._others:
            one.refused(operation, status)

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Pass it on."""
        for one in self._others:
            one.progress(jobs=jobs, quota_used=quota_used)
