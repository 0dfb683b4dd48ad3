"""The intake of a batch: what is to be asked for, and what needs no request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from airflow_claid.batch import outcomes
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.batch.prompts import PromptRow
from airflow_claid.client import ClaidValidationError
from airflow_claid.orders.order import Order


@dataclass(frozen=True)
class Item:
    """One order.

    :param number: of its row.
    :param tried: how often it has been tried.
    :param failures: how often it failed for a passing reason.
    """

    number: int
    order: Order
    tried: int = 0
    failures: int = 0

    def tried_again(self) -> Item:
        """Return the item for the next attempt at it."""
        return replace(self, tried=self.tried + 1)

    def failed_again(self) -> Item:
        """Return the item with one more failure."""
        return replace(self, failures=self.failures + 1)


@dataclass(frozen=True)
class Ended:
    """An item for which nothing needs to be asked.

    :param row: of the manifest.
    :param known: whether the manifest has the row already.
    :param reused: whether its pictures were paid before.
    """

    row: dict[str, Any]
    known: bool = False
    reused: bool = False


class Intake:
    """Makes orders of rows; for one thread.

    :param order_of: makes a row's order.
    :param index: knows what has ended in earlier attempts.
    :param still_there: whether the pictures of an earlier attempt's row are where they were.
    """

    def __init__(
        self,
        order_of: Callable[[PromptRow], Order],
        index: ManifestIndex,
        still_there: Callable[[dict[str, Any]], bool],
    ) -> None:
        self._order_of = order_of
        self._index = index
        self._still_there = still_there
        self._first_by_fingerprint: dict[int, int] = {}
        self._first_by_name: dict[int, int] = {}

    def take(self, row: PromptRow) -> Item | Ended:
        """Return an item to be asked for, or what has become of it without a request."""
        try:
            order = self._order(row)
        except ClaidValidationError as error:
            return Ended(outcomes.invalid(row, str(error)))
        first = self._first_by_fingerprint.setdefault(int(order.fingerprint[:24], 16), row.number)
        if first != row.number:
            return Ended(outcomes.duplicate(order, first))
        namesake = self._namesake(row.number, order)
        if namesake is not None:
            overwritten = ClaidValidationError(
                f"row {row.number} has the name {order.name!r} of row {namesake}, but asks for something else: one's "
                "pictures would overwrite the other's. Give each a name of its own"
            )
            return Ended(outcomes.overwriting(order, str(overwritten)))
        before = self._index.get(order.fingerprint)
        if before is None or before["status"] not in ("done", "blocked") or not self._still_there(before):
            return Item(row.number, order)
        return Ended(before, known=self._index.has(row.number, order.fingerprint), reused=True)

    def _order(self, row: PromptRow) -> Order:
        if row.problem:
            raise ClaidValidationError(f"row {row.number} {row.problem}")
        return self._order_of(row)

    def _namesake(self, number: int, order: Order) -> int | None:
        """Return the row that has written, or will write, files of the same names."""
        if order.name is None or not order.place.is_written_by_airflow:
            return None
        first = self._first_by_name.setdefault(hash(order.name), number)
        return first if first != number else None
