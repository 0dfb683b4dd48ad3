"""The sums of what tasks have paid, by day, DAG, task and operation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.fulfilment.bill import NOTHING, Sums, sums_in
from airflow_claid.plugins.gallery.reports import TaskRef, bills_of

BY = ("day", "dag", "task", "operation")
MOST_DAYS = 366


@dataclass(frozen=True)
class BillRow:
    """One row of a bill: the sums of all that have these in common.

    :param day: of UTC; ``None`` where the bill is not by day, and ``dag``, ``task`` and ``operation`` likewise.
    :param sums: what was paid, and what for.
    """

    day: date | None
    dag: str | None
    task: str | None
    operation: str | None
    sums: Sums

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON, without what the bill is not by."""
        keys = {"day": self.day.isoformat() if self.day else None, "dag": self.dag, "task": self.task}
        told = {**keys, "operation": self.operation}
        return {**{name: key for name, key in told.items() if key is not None}, **facts_of(self.sums)}


@dataclass(frozen=True)
class Bill:
    """What tasks have paid.

    :param first: the first day, of UTC; ``last``: the last.
    :param by: what the rows are by: some of ``day``, ``dag``, ``task`` and ``operation``.
    :param rows: in this order.
    :param total: the sums of all rows.
    :param task_instances: how many reported something that is in it.
    :param of_receipts: how many more are in it by their receipts, because they reported nothing.
    :param unanswered: requests of these without an answer, which may have cost credits that are not in it.
    """

    first: date
    last: date
    by: tuple[str, ...]
    rows: tuple[BillRow, ...]
    total: Sums
    task_instances: int
    of_receipts: int = 0
    unanswered: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the bill as JSON."""
        return {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "by": list(self.by),
            "rows": [row.to_json() for row in self.rows],
            "total": facts_of(self.total),
            "task_instances": self.task_instances,
            "of_receipts": self.of_receipts,
            "unanswered": self.unanswered,
        }


def facts_of(sums: Sums) -> dict[str, Any]:
    """Return sums as JSON, with the share that was blocked."""
    share = sums.blocked_share
    return {**asdict(sums), "blocked_share": None if share is None else round(share, 4)}


Key = tuple[date, str, str, str]


@dataclass
class Adder:
    """Adds up what tasks reported; its memory grows with the rows of the bill and not with the task instances.

    :param first: the first day that counts; ``last``: the last.
    :param remember: whether to remember which task instances have reported.
    """

    first: date
    last: date
    task_instances: int = 0
    remember: bool = False
    tasks: set[TaskRef] = field(default_factory=set)
    """Those that reported, if they are to be remembered."""
    connections: set[str] = field(default_factory=set)
    """Those that the tasks used."""
    _sums: dict[Key, Sums] = field(default_factory=dict)

    def add(self, task: TaskRef, value: object) -> None:
        """Add the XCom ``bill`` of a task instance."""
        counts = False
        for day, operation, sums in sums_in(value):
            if self.count(task, day, operation, sums):
                counts = True
        if counts and isinstance(value, dict) and isinstance(connection := value.get("connection"), str):
            self.connections.add(connection)
        self.task_instances += counts
        if self.remember:
            self.tasks.add(task)

    def count(self, task: TaskRef, day: date, operation: str, sums: Sums) -> bool:
        """Add sums of a task on a day, unless that does not count; return whether it does."""
        if not self.first <= day <= self.last:
            return False
        key = (day, task.dag_id, task.task_id, operation)
        self._sums[key] = self._sums.get(key, NOTHING) + sums
        return True

    def bill(self, by: Sequence[str], *, of_receipts: int = 0, unanswered: int = 0) -> Bill:
        """Return the sums."""
        total = NOTHING
        rows: dict[tuple[Any, ...], Sums] = {}
        for key, sums in self._sums.items():
            total += sums
            short = tuple(part if name in by else None for name, part in zip(BY, key, strict=True))
            rows[short] = rows.get(short, NOTHING) + sums
        ordered = sorted(rows.items(), key=lambda each: tuple((part is not None, part or "") for part in each[0][1:]))
        ordered.sort(key=lambda each: each[0][0] or date.min, reverse=True)
        named = tuple(name for name in BY if name in by)
        told = tuple(BillRow(day, dag, task, operation, sums) for (day, dag, task, operation), sums in ordered)
        return Bill(self.first, self.last, named, told, total, self.task_instances, of_receipts, unanswered)

    def credits_by_day(self, *, task: bool) -> dict[str, dict[date, float]]:
        """Return the credits of each DAG, or of each of its tasks, by day."""
        found: dict[str, dict[date, float]] = {}
        for (day, dag_id, task_id, _), sums in self._sums.items():
            of_one = found.setdefault(task_id if task else dag_id, {})
            of_one[day] = of_one.get(day, 0.0) + sums.credits
        return found

    @property
    def days(self) -> list[date]:
        """All days, also those on which nothing was paid."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


def added_up(
    first: date,
    last: date,
    dags: Collection[str] | None,
    may_read: Callable[[str], bool] = lambda _: True,
    *,
    remember: bool = False,
) -> Adder:
    """Add up what tasks reported.

    :param dags: of which DAGs; ``None`` for all.
    :param may_read: tells whether a DAG's XComs may be read.
    :param remember: whether to remember which task instances have reported.
    """
    adder = Adder(first, last, remember=remember)
    for task, value in bills_of(dags, times_of(first, last)[0]):
        if may_read(task.dag_id):
            adder.add(task, value)
    return adder


def times_of(first: date, last: date) -> tuple[datetime, datetime]:
    """Return when the first day begins and the last one ends."""
    begin = datetime(first.year, first.month, first.day, tzinfo=timezone.utc)
    return begin, begin + timedelta(days=(last - first).days + 1)


def checked_by(by: Iterable[str]) -> tuple[str, ...]:
    """Return what a bill is to be by.

    :raises ClaidValidationError: if it is nothing, or something else.
    """
    asked = tuple(by)
    if not asked or not set(asked) <= set(BY):
        raise ClaidValidationError(f"by={list(asked)!r} must be one or more of {', '.join(BY)}")
    return asked


def checked_range(first: date, last: date) -> tuple[date, date]:
    """Return the first and the last day.

    :raises ClaidValidationError: if there is no day between them, or there are too many.
    """
    if last < first:
        raise ClaidValidationError(f"The last day {last} is before the first, {first}: give the earlier one first")
    if (last - first).days >= MOST_DAYS:
        raise ClaidValidationError(f"{first} to {last} is more than {MOST_DAYS} days: ask for fewer")
    return first, last
