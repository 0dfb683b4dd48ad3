"""What a batch would cost if it ran now: its own intake, and a forecast in place of each request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from airflow_claid.batch import outcomes
from airflow_claid.batch.intake import Ended, Intake, Item, OrderOf
from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.fulfilment.forecast import Forecast
from airflow_claid.orders.order import Order

_REASONS = 20
"""Of each kind, so that many rows to be paid for do not hide what is wrong with a later one."""

_THREADS = 16
_ITEMS_AT_ONCE = 512


@dataclass(frozen=True)
class Reason:
    """Why a row would be paid for, or could not be.

    :param row: its number.
    :param name: as the manifest has it.
    :param reason: as a sentence without a full stop.
    """

    row: int
    name: str | None
    reason: str


@dataclass(frozen=True)
class Estimate:
    """What a batch would cost.

    :param items: all rows; each is one of the six that follow.
    :param to_pay: those that a paid request would be sent for.
    :param reused: those that were paid for before.
    :param failing: those that would fail before anything is sent, because their receipt cannot be read, or because the
        answer to an earlier request is lost and ``on_lost_response="fail"``.
    :param invalid: those that cannot be requested.
    :param duplicate: those that repeat the request of an earlier row.
    :param skipped: those that an earlier batch left nothing of to work on.
    :param credits: what would be spent, without fallback prompts: nobody knows beforehand what will be blocked.
    :param most_credits: what would be spent if each fallback prompt were needed.
    :param requests: paid requests.
    :param hours: how long these take at the account's quota, as the answers to an earlier task named it; before the
        first, at Claid's published default.
    :param in_doubt: credits that earlier requests may have cost whose answers are lost.
    :param reasons: of the first rows that would be paid for, of the first that would fail, and of the first that are
        invalid, in the order of the rows.
    """

    items: int
    to_pay: int
    reused: int
    failing: int
    invalid: int
    duplicate: int
    skipped: int
    credits: float
    most_credits: float
    requests: int
    hours: float
    in_doubt: float
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as an XCom can hold it."""
        return {**asdict(self), "reasons": [asdict(reason) for reason in self.reasons]}


def estimate(
    rows: Iterable[ItemRow],
    order_of: OrderOf,
    index: ManifestIndex,
    still_there: Callable[[dict[str, Any]], bool],
    forecast: Callable[[Order], Forecast],
    *,
    overwritten_by: Callable[[Order], str | None] = lambda _: None,
    seconds_needed: Callable[[int], float],
) -> Estimate:
    """Estimate what a batch would cost; nothing is written, and nothing is sent that is charged.

    :param rows: as for :class:`.batch.Batch`; so are ``order_of``, ``index`` (of its manifest), ``still_there``
        and ``overwritten_by``.
    :param forecast: returns what fulfilling an order would cost now; see :meth:`.fulfilment.Fulfilment.forecast`.
        Several threads call it.
    :param seconds_needed: returns how long it takes to send so many requests.
    """
    by_kind: Counter[str] = Counter()
    spent = fallbacks = in_doubt = 0.0
    requests, reasons = 0, list[Reason]()
    for outlook in _outlooks(rows, Intake(order_of, index, still_there, overwritten_by), forecast):
        by_kind[outlook.kind] += 1
        if outlook.kind in _WITH_REASON and by_kind[outlook.kind] <= _REASONS:
            reasons.append(outlook.reason)
        if outlook.forecast is not None:
            spent += outlook.forecast.credits
            in_doubt += outlook.forecast.in_doubt
            requests += outlook.forecast.requests
            fallbacks += outlook.fallbacks
    return Estimate(
        items=by_kind.total(),
        **{kind: by_kind[kind] for kind in _KINDS},
        credits=spent,
        most_credits=spent + fallbacks,
        requests=requests,
        hours=seconds_needed(requests) / 3600,
        in_doubt=in_doubt,
        reasons=tuple(reasons),
    )


_KINDS = ("to_pay", "reused", "failing", "invalid", "duplicate", "skipped")
_WITH_REASON = ("to_pay", "failing", "invalid")


@dataclass(frozen=True)
class _Outlook:
    """What would become of a row.

    :param kind: one of ``_KINDS``.
    :param forecast: of a row of which the manifest has no result that can be used again.
    :param fallbacks: credits of its fallback prompts together.
    """

    kind: str
    reason: Reason
    forecast: Forecast | None = None
    fallbacks: float = 0.0


def _outlooks(rows: Iterable[ItemRow], intake: Intake, forecast: Callable[[Order], Forecast]) -> Iterator[_Outlook]:
    """Yield the outlook of each row, in order; forecasts that read receipts are made at the same time."""

    def of(number: int, taken: Item | Ended) -> _Outlook:
        if isinstance(taken, Ended):
            row = taken.row
            reason = Reason(number, row["name"], str(row.get("error", "")))
            return _Outlook("reused" if taken.reused else row["status"], reason)
        told, fallbacks = forecast(taken.order), list(taken.fallbacks)
        while told.blocked and fallbacks:
            told = forecast(fallbacks.pop(0))
        kind = "to_pay" if told.requests else "reused" if told.reused else "failing"
        name = outcomes.facts(taken.order, taken.carried)["name"]
        return _Outlook(kind, Reason(number, name, told.reason), told, sum(one.credits for one in fallbacks))

    remaining = iter(rows)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="claid-estimate") as pool:
        while some := [(row.number, intake.take(row)) for row in islice(remaining, _ITEMS_AT_ONCE)]:
            yield from pool.map(of, *zip(*some, strict=True))
