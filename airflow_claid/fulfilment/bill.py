"""What a task instance has paid, by day and operation: reported by the task, summed by the page *Claid credits*."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timezone
from typing import Any

from airflow_claid.fulfilment.receipt import Charge
from airflow_claid.orders.order import Order
from airflow_claid.storage.compact_map import CompactMap

XCOM = "bill"
VERSION = 1


@dataclass(frozen=True)
class Sums:
    """What was paid, and what for.

    :param credits: charged, as far as is known.
    :param reused: what pictures would have cost that another task instance had paid for.
    :param in_doubt: credits that lost answers may have cost besides.
    :param pictures: usable pictures and videos.
    :param blocked: pictures that Claid's content filter blocked; they are charged.
    :param rate_limited: requests that Claid refused with a 429; not charged.
    """

    credits: float = 0.0
    reused: float = 0.0
    in_doubt: float = 0.0
    pictures: int = 0
    blocked: int = 0
    rate_limited: int = 0

    def __add__(self, other: Sums) -> Sums:
        """Return both together."""
        return Sums(
            self.credits + other.credits,
            self.reused + other.reused,
            self.in_doubt + other.in_doubt,
            self.pictures + other.pictures,
            self.blocked + other.blocked,
            self.rate_limited + other.rate_limited,
        )

    @property
    def blocked_share(self) -> float | None:
        """Share of the pictures that were blocked, 0 to 1; ``None`` where none was made."""
        made = self.pictures + self.blocked
        return self.blocked / made if made else None


NOTHING = Sums()
_NAMES = tuple(field.name for field in fields(Sums))
_COUNTS = ("pictures", "blocked", "rate_limited")


class TaskBill:
    """The bill of one task instance, kept up by what happens to its orders; thread-safe.

    Days are those of UTC. Receipts tell what earlier tries have paid, so that a bill is of all tries.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, str], Sums] = {}
        self._doubts: dict[str, tuple[str, float]] = {}
        """By fingerprint: the day of an answer that is lost, and what it may have cost."""
        self._told = CompactMap()
        """Orders whose payments are counted."""

    def charged(self, order: Order, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Count credits."""
        self._is_first_of(order.fingerprint)
        self._add(order.operation, Sums(credits=credits))

    def answer_lost(self, order: Order, credits: float) -> None:  # noqa: A002
        """Count credits in doubt."""
        self._is_first_of(order.fingerprint)
        self._add(order.operation, Sums(in_doubt=credits))
        with self._lock:
            self._doubts[order.fingerprint] = (_today(), credits)

    def answer_found(self, order: Order, credits: float) -> None:  # noqa: A002
        """Count credits of a lost answer as charged, on the day on which it was sent, if this task instance sent it."""
        with self._lock:
            lost = self._doubts.pop(order.fingerprint, None)
        if lost is not None:
            self._add(order.operation, Sums(credits=credits, in_doubt=-lost[1]), lost[0])

    def paid_before(self, order: Order, charges: Sequence[Charge], *, pictures: int, blocked: int) -> None:
        """Count what earlier tries have paid, on the days on which they did."""
        fingerprint, operation = order.fingerprint, order.operation
        if not self._is_first_of(fingerprint):
            return
        for charge in charges:
            day = day_of(charge.at) or _today()
            self._add(operation, Sums(credits=charge.credits, in_doubt=charge.in_doubt), day)
            if charge.in_doubt and not charge.credits:
                with self._lock:
                    self._doubts[fingerprint] = (day, charge.in_doubt)
        self._add(operation, Sums(pictures=pictures, blocked=blocked), day_of(charges[-1].at) or _today())

    def reused(self, order: Order) -> None:
        """Count what was not paid again."""
        if self._is_first_of(order.fingerprint):
            self._add(order.operation, Sums(reused=order.credits))

    def delivered(self, order: Order, *, pictures: int, blocked: int) -> None:
        """Count pictures."""
        self._add(order.operation, Sums(pictures=pictures, blocked=blocked))

    def refused(self, operation: str, status: int) -> None:
        """Count a request that exceeded the quota."""
        if status == 429:
            self._add(operation, Sums(rate_limited=1))

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Count nothing."""

    def to_json(self) -> dict[str, Any]:
        """Return the bill as XCom ``bill`` has it."""
        with self._lock:
            sums = sorted(self._sums.items())
        return {
            "version": VERSION,
            "days": [
                {"day": day, "operation": operation, **{name: value for name, value in asdict(one).items() if value}}
                for (day, operation), one in sums
                if one != NOTHING
            ],
        }

    def _is_first_of(self, fingerprint: str) -> bool:
        with self._lock:
            known = len(self._told)
            self._told.setdefault(hash(fingerprint), 0)
            return len(self._told) > known

    def _add(self, operation: str, sums: Sums, day: str | None = None) -> None:
        key = (day or _today(), operation)
        with self._lock:
            self._sums[key] = self._sums.get(key, NOTHING) + sums


def sums_in(value: object) -> Iterable[tuple[date, str, Sums]]:
    """Yield what an XCom ``bill`` holds: day, operation, sums. What is none yields nothing."""
    if not isinstance(value, Mapping) or value.get("version") != VERSION or not isinstance(value.get("days"), list):
        return
    for row in value["days"]:
        if isinstance(row, Mapping) and (read := _sums_of(row)) is not None:
            yield read


def _sums_of(row: Mapping[str, Any]) -> tuple[date, str, Sums] | None:
    numbers = {name: row[name] for name in _NAMES if name in row}
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers.values()):
        return None
    counts = {name: int(numbers[name]) for name in _COUNTS if name in numbers}
    try:
        return date.fromisoformat(row["day"]), str(row["operation"]), Sums(**{**numbers, **counts})
    except (KeyError, TypeError, ValueError):
        return None


def day_of(moment: str) -> str | None:
    """Return the day of a moment in UTC; ``None`` if it is none."""
    try:
        return datetime.fromisoformat(moment).astimezone(timezone.utc).date().isoformat()
    except ValueError:
        return None


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
