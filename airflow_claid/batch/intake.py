"""The intake of a batch: which rows need a request, and which do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_claid.batch import outcomes
from airflow_claid.batch.counts import GONE
from airflow_claid.batch.gone import back
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.client import ClaidValidationError
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.orders.order import Order
from airflow_claid.storage.compact_map import CompactMap
from airflow_claid.storage.file_names import FileNames

OrderOf = Callable[[ItemRow], Order | Sequence[Order]]


@dataclass(frozen=True)
class Item:
    """An order of the batch that needs a request.

    :param number: of its row.
    :param carried: what its row tells the manifest, whatever order is made of it.
    :param tried: number of earlier attempts.
    :param failures: number of failures for passing reasons.
    :param fallbacks: the orders to fulfil next, one after the other, as long as all pictures are blocked.
    :param blocked: the results of the orders before this one: all their pictures were blocked.
    """

    number: int
    order: Order
    carried: Mapping[str, Any] = field(default_factory=dict)
    tried: int = 0
    failures: int = 0
    fallbacks: tuple[Order, ...] = ()
    blocked: tuple[Fulfilled, ...] = ()

    def with_fallback(self, result: Fulfilled) -> Item | None:
        """Return the item with its next fallback, if all pictures of this result are blocked and there is one."""
        if not self.fallbacks or not result.images or not all(image.blocked for image in result.images):
            return None
        return replace(
            self,
            order=self.fallbacks[0],
            fallbacks=self.fallbacks[1:],
            blocked=(*self.blocked, result),
            tried=max(1, self.tried),
            failures=0,
        )

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
    :param reused: its order, if its pictures were paid for before.
    """

    row: dict[str, Any]
    known: bool = False
    reused: Order | None = None


class Intake:
    """Turns rows into orders; not thread-safe.

    :param order_of: makes a row's order; or a list, of which those after the first are its fallbacks.
    :param index: knows the items that ended in earlier attempts.
    :param still_there: returns whether the pictures of an earlier attempt's row are still in place.
    :param overwritten_by: says which picture of another batch an order would overwrite, as a sentence's end.
    """

    def __init__(
        self,
        order_of: OrderOf,
        index: ManifestIndex,
        still_there: Callable[[dict[str, Any]], bool],
        overwritten_by: Callable[[Order], str | None] = lambda _: None,
    ) -> None:
        self._order_of = order_of
        self._index = index
        self._still_there = still_there
        self._overwritten_by = overwritten_by
        self._first_by_fingerprint = CompactMap()
        self._first_by_name = CompactMap()
        self._names = FileNames("")

    def take(self, row: ItemRow) -> Item | Ended:
        """Return the item to request, or its result if it needs no request."""
        if row.passed_over is not None:
            return Ended(outcomes.skipped(row))
        try:
            order, *fallbacks = self._orders(row)
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
        before = self._result_before(order, fallbacks)
        if before is None and (lost := self._overwritten_by(order)):
            return Ended(outcomes.overwriting(order, str(ClaidValidationError(f"row {row.number} {lost}")), carried))
        if before is None:
            return Item(row.number, order, carried, fallbacks=tuple(fallbacks))
        result = {**before, **outcomes.facts(order, carried)}
        if "fallback" in before:
            result["prompt"] = before["prompt"]
        known = result == before and self._index.has(row.number, order.fingerprint)
        return Ended(result, known=known, reused=order)

    def _result_before(self, order: Order, fallbacks: Sequence[Order]) -> dict[str, Any] | None:
        """Return the row of an item that ended before and whose pictures are still in place; ``None`` for others."""
        row = self._index.get(order.fingerprint)
        if row is not None and row["status"] == GONE:
            row = back(row)
        usable = row is not None and row["status"] in ("done", "blocked") and self._still_there(row)
        return row if usable and row is not None and not _has_new_fallback(row, fallbacks) else None

    def _orders(self, row: ItemRow) -> list[Order]:
        if row.problem:
            raise ClaidValidationError(f"row {row.number} {row.problem}")
        try:
            made = self._order_of(row)
            first, *fallbacks = [made] if isinstance(made, Order) else made
            of = first.fingerprint  # made now, so that what cannot be encoded is this row's error alone
            fallbacks = [replace(fallback, fallback_of=of) for fallback in fallbacks]
            for fallback in fallbacks:
                fallback.fingerprint  # noqa: B018 - likewise
        except ClaidValidationError:
            raise
        except (ValueError, OverflowError, RecursionError) as error:
            raise ClaidValidationError(
                f"row {row.number} cannot be made a request ({type(error).__name__}: {error})"
            ) from None
        return [first, *fallbacks]

    def _namesake(self, number: int, order: Order) -> int | None:
        """Return the number of an earlier row whose pictures have the same name, if there is one."""
        if order.name is None:
            return None
        if self._names.folder != order.place.folder:
            self._names = FileNames(order.place.folder)
        first = self._first_by_name.setdefault(hash((order.place.folder, self._names.key(order.name))), number)
        return first if first != number else None


def _has_new_fallback(row: Mapping[str, Any], fallbacks: Sequence[Order]) -> bool:
    """Return whether a blocked row has a fallback that was not asked for; what was asked for costs nothing again."""
    if row["status"] != "blocked" or not fallbacks:
        return False
    asked = row.get("fallback", 0)
    if type(asked) is not int or not 0 <= asked <= len(fallbacks):
        return False
    return asked < len(fallbacks) or fallbacks[asked - 1].prompt != row.get("prompt")
