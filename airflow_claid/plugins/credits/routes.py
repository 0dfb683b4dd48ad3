"""The page *Claid credits*, and the same as CSV: of the DAGs whose XComs the person may read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.plugins.credits.charts import chart_of
from airflow_claid.plugins.credits.limits import limits_of
from airflow_claid.plugins.credits.sums import BY, Bill, added_up, checked_range, times_of
from airflow_claid.plugins.gallery import access, reports
from airflow_claid.plugins.gallery.links import Links
from airflow_claid.plugins.gallery.rendering import page

_DAYS = 14
_ROWS_SHOWN = 1000
_NAMED = 10
_BY_DEFAULT = ("day", "dag")
_TITLES = {"day": "Day", "dag": "DAG", "task": "Task", "operation": "Operation"}
_COLUMNS = ("credits", "reused", "in_doubt", "pictures", "blocked", "rate_limited")

router = APIRouter()


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    :param first: the first day, of UTC; ``last``: the last.
    :param by: what the rows are by.
    :param dag: the only DAG; empty for all.
    :param problem: what is wrong with what was asked for, and is not shown for that.
    """

    first: date
    last: date
    by: tuple[str, ...]
    dag: str = ""
    problem: str = ""

    def query(self, **changes: Any) -> str:
        """Return it as the query of an address."""
        asked = replace(self, **changes)
        pairs = [("from", asked.first), ("to", asked.last), *(("by", name) for name in asked.by)]
        return "?" + urlencode([*pairs, *([("dag", asked.dag)] if asked.dag else [])])


def asked_of(
    first: Annotated[str, Query(alias="from", max_length=20)] = "",
    last: Annotated[str, Query(alias="to", max_length=20)] = "",
    by: Annotated[list[str] | None, Query(max_length=8)] = None,
    dag: Annotated[str, Query(max_length=250)] = "",
) -> Asked:
    """Read what is asked for; the latest two weeks where nothing is, or it is wrong."""
    today = datetime.now(timezone.utc).date()
    named = tuple(name for name in BY if name in (by or _BY_DEFAULT)) or _BY_DEFAULT
    try:
        to = date.fromisoformat(last) if last else today
        since, to = checked_range(date.fromisoformat(first) if first else to - timedelta(days=_DAYS - 1), to)
    except ClaidValidationError as error:
        return Asked(today - timedelta(days=_DAYS - 1), today, named, dag, str(error))
    except (ValueError, OverflowError):
        return Asked(today - timedelta(days=_DAYS - 1), today, named, dag, "Give days as 2026-11-26")
    return Asked(since, to, named, dag)


AskedDep = Annotated[Asked, Depends(asked_of)]
UserDep = Annotated[Any, Depends(access.signed_in)]


def links_of(request: Request) -> Links:
    """Return what makes addresses as the browser knows them: with the path of Airflow's own."""
    return Links(request.scope.get("root_path", ""))


@router.get("/credits")
async def show(asked: AskedDep, user: UserDep, links: Annotated[Links, Depends(links_of)]) -> Response:
    """Show what tasks have spent."""
    return await run_in_threadpool(_show, asked, user, links)


@router.get("/credits.csv")
async def download(asked: AskedDep, user: UserDep) -> Response:
    """Give the same sums as CSV, with all their rows."""
    return await run_in_threadpool(_download, asked, user)


def _show(asked: Asked, user: Any, links: Links) -> Response:
    dags, may_read = _readable(asked, user)
    adder = added_up(asked.first, asked.last, dags, may_read)
    bill = adder.bill(asked.by)
    limits, problems = limits_of(adder.connections, may_read, datetime.now(timezone.utc))
    silent = reports.failed_without_bill(dags, operators(), *times_of(asked.first, asked.last), most=_NAMED + 1)
    return page(
        "credits.html",
        links,
        title="Credits",
        asked=asked,
        bill=bill,
        rows=bill.rows[:_ROWS_SHOWN],
        left_off=max(0, len(bill.rows) - _ROWS_SHOWN),
        by=_TITLES,
        chart=chart_of(adder.days, adder.credits_by_day(task=bool(asked.dag))),
        silent=[task for task in silent if may_read(task.dag_id)],
        named=_NAMED,
        limits=limits,
        problems=problems,
    )


def _download(asked: Asked, user: Any) -> Response:
    dags, may_read = _readable(asked, user)
    bill = added_up(asked.first, asked.last, dags, may_read).bill(asked.by)
    name = f"claid-credits-{asked.first}-{asked.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(csv_of(bill), media_type="text/csv; charset=utf-8", headers=headers)


def _readable(asked: Asked, user: Any) -> tuple[set[str], Callable[[str], bool]]:
    """Return the DAGs that are asked for and that a person may see, and what tells whether he may read one's XCom.

    :raises HTTPException: 403, if he may read none.
    """
    may_read = access.xcom_reader(user)
    dags = access.visible_dags(user)
    if asked.dag:
        if not may_read(asked.dag):
            raise HTTPException(403, "Forbidden")
        return dags & {asked.dag}, may_read
    if not access.may_read_some(user) and not any(map(may_read, dags)):
        raise HTTPException(403, "Forbidden")
    return dags, may_read


def operators() -> tuple[str, ...]:
    """Return the names of the operators that pay, as Airflow knows them."""
    from airflow_claid import operators as ours
    from airflow_claid.operators.bases.paying import ClaidPayingOperator

    named = {name: getattr(ours, name) for name in ours.__all__}
    paying = (name for name, one in named.items() if isinstance(one, type) and issubclass(one, ClaidPayingOperator))
    return (*paying, "@task.claid_image", "@task.claid_edit")


def csv_of(bill: Bill) -> str:
    """Return a bill as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*bill.by, *_COLUMNS])
    for row in bill.rows:
        keys = [getattr(row, name) for name in bill.by]
        writer.writerow([*map(_cell, keys), *(_plain(getattr(row.sums, name)) for name in _COLUMNS)])
    return text.getvalue()


def _cell(key: object) -> str:
    """Return a name as no spreadsheet takes it for a formula."""
    text = str(key)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _plain(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
