"""What happens to orders, told to whoever counts it: Airflow's metrics, in a task."""

from __future__ import annotations

from typing import Protocol

from airflow_claid.orders.order import Order


class Events(Protocol):
    """Is told what happens; must not raise, and is called from many threads."""

    def charged(self, order: Order, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Tell that credits were charged for an order; fewer than was told before, if negative."""

    def answer_lost(self, order: Order, credits: float) -> None:  # noqa: A002
        """Tell that the answer to a request is lost, which may have cost these credits."""

    def delivered(self, order: Order, *, pictures: int, blocked: int) -> None:
        """Tell that an order is complete, with so many usable pictures and so many blocked ones."""

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Tell how many jobs are waited for, and the share of the quota that is used."""


class NoEvents:
    """Counts nothing."""

    def charged(self, order: Order, credits: float) -> None:  # noqa: A002
        """Do nothing."""

    def answer_lost(self, order: Order, credits: float) -> None:  # noqa: A002
        """Do nothing."""

    def delivered(self, order: Order, *, pictures: int, blocked: int) -> None:
        """Do nothing."""

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Do nothing."""
