"""What tasks have spent at Claid, as a function: the sums of the page *Claid credits*."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.fulfilment.bill import Sums
from airflow_claid.plugins.credits.receipts import add_receipts
from airflow_claid.plugins.credits.sums import BY, Bill, BillRow, added_up, checked_by, checked_range

__all__ = ["Bill", "BillRow", "Sums", "bill"]

_DAYS = 14


def bill(
    first: date | str | None = None,
    last: date | str | None = None,
    *,
    by: Iterable[str] = BY,
    dag: str | None = None,
    receipts: Iterable[str] = (),
) -> Bill:
    """Return what tasks have spent, from what they reported to Airflow.

    It reads Airflow's database, so it runs where Airflow's API server or scheduler runs; a task may not. It asks nobody
    who may see what: the page does. Nothing is sent to Claid, and nothing is written.

    A picture counts once, on the day on which it was paid for, however often its task was tried again or cleared. Runs
    that were deleted from Airflow, and tasks that were killed and not tried again, have no report: give the folders of
    their receipts.

    :param first: the first day, of UTC, a date or its text (``2026-11-26``). Default: 13 days before ``last``.
    :param last: the last day, which counts as well. Default: today.
    :param by: what the rows are by: some of ``day``, ``dag``, ``task`` and ``operation``. Default: all.
    :param dag: the id of the only DAG that counts. Default: all.
    :param receipts: outputs (``s3://conn@bucket/spring/``) whose receipts are read as well: they count for those task
        instances that have reported nothing in these days. Reads each receipt once. Default: none.
    :returns: a :class:`Bill`: ``rows``, ``total``, and from how many task instances they are.
    :raises ClaidValidationError: if a parameter is wrong.
    :raises ReceiptUnreadableError: if a receipt cannot be read.
    """
    to = _day(last, "last") or datetime.now(timezone.utc).date()
    since, to = checked_range(_day(first, "first") or to - timedelta(days=_DAYS - 1), to)
    rows_by, folders = checked_by(by), list(receipts)
    adder = added_up(since, to, None if dag is None else {dag}, remember=bool(folders))
    of_receipts, unanswered = add_receipts(adder, folders, dag)
    return adder.bill(rows_by, of_receipts=of_receipts, unanswered=unanswered)


def _day(value: date | str | None, parameter: str) -> date | None:
    """Return the day that a parameter says.

    :raises ClaidValidationError: if it says none.
    """
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise ClaidValidationError(f"{parameter}={value!r} must be a day, such as 2026-11-26") from None
