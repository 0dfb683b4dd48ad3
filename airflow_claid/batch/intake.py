"""The intake of a batch: which rows need a request, and which do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_claid.batch import outcomes
from airflow_claid.batch.counts import GONE
from airflow_claid.batch.gone import back
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.client import ClaidValidationError
from airflow_claid.orders.order import Order
from airflow_claid.storage.compact_map import CompactMap
from airflow_claid.storage.file_names import FileNames


@dataclass(frozen=True)
class Item:
    """An order of the batch that needs a request.

    :param number: of its row.
    :param carried: what its row tells the manifest, whatever order is made of it.
    :param tried: number of earlier attempts.
    :param failures: number of failures for passing reasons.
    """

    number: int
    order: Order
    carried: Mapping[str, Any] = field(default_factory=dict)
    tried: int = 0
    failures: int = 0

    def tried_again(self) -> Item:
        """Return the item for its next attempt."""
        return replace(self, tried=self.tried + 1)

    def failed_again(self) -> Item:
        """Return the item with one more failure."""
        return replace(self, failures=self.failures + 1)


@dataclass(frozen=True)
class Ended:
    """An item that needs no request.

    :param row: of the manifest.
    :param known: whether the manifest has the row already.
    :param reused: whether its pictures were paid for before.
    """

    row: dict[str, Any]
    known: bool = False
    reused: bool = False


class Intake:
    """Turns rows into orders; not thread-safe.

    :param order_of: makes a row's order.
    :param index: knows the items that ended in earlier attempts.
    :param still_there: returns whether the pictures of an earlier attempt's row are still in place.
    """

    def __init__(
        self,
        order_of: Callable[[ItemRow], Order],
        index: ManifestIndex,
        still_there: Callable[[dict[str, Any]], bool],
    ) -> None:
        self._order_of = order_of
        self._index = index
        self._still_there = still_there
        self._first_by_fingerprint = CompactMap()
        self._first_by_name = CompactMap()
        self._names = FileNames("")

    def take(self, row: ItemRow) -> Item | Ended:
        """Return the item to request, or its result if it needs no request."""
        if row.passed_over is not None:
            return Ended(outcomes.skipped(row))
        try:
            order = self._order(row)
        except ClaidValidationError as error:
            return Ended(outcomes.invalid(row, str(error)))
        carried = outcomes.carried_on(row)
        first = self._first_by_fingerprint.setdefault(hash(order.fingerprint), row.number)
        if first != row.number:
            return Ended(outcomes.duplicate(order, first, carried))
        namesake = self._namesake(row.number, order)
        if namesake is not None:
            conflict = ClaidValidationError(
                f"row {row.number} has the name {order.name!r} of row {namesake}{self._names.why} but is another "
                "request: its pictures would overwrite those of the other row, or stand for them. Give each row a name "
                "of its own"
            )
            return Ended(outcomes.overwriting(order, str(conflict), carried))
        before = self._result_before(order)
        if before is None:
            return Item(row.number, order, carried)
        result = {**before, **outcomes.facts(order, carried)}
        known = result == before and self._index.has(row.number, order.fingerprint)
        return Ended(result, known=known, reused=True)

    def _result_before(self, order: Order) -> dict[str, Any] | None:
        """Return the row of an item that ended before and whose pictures are still in place; ``None`` for others."""
        row = self._index.get(order.fingerprint)
        if row is not None and row["status"] == GONE:
            row = back(row)
        usable = row is not None and row["status"] in ("done", "blocked") and self._still_there(row)
        return row if usable else None

    def _order(self, row: ItemRow) -> Order:
        if row.problem:
            raise ClaidValidationError(f"row {row.number} {row.problem}")
        try:
            order = self._order_of(row)
            order.fingerprint  # noqa: B018 - made now, so that what cannot be encoded is this row's error alone
        except ClaidValidationError:
            raise
        except (ValueError, OverflowError, RecursionError) as error:
            raise ClaidValidationError(
                f"row {row.number} cannot be made a request ({type(error).__name__}: {error})"
            ) from None
        return order

    def _namesake(self, number: int, order: Order) -> int | None:
        """Return the number of an earlier row whose pictures have the same name, if there is one."""
        if order.name is None:
            return None
        if self._names.folder != order.place.folder:
            self._names = FileNames(order.place.folder)
        first = self._first_by_name.setdefault(hash(self._names.key(order.name)), number)
        return first if first != number else None
