"""The gallery's pages and pictures, each behind the right to read the XCom of its DAG.

A picture is asked for by its place in what a task reported, never by its path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response

from airflow_claid.plugins.gallery import access, reports
from airflow_claid.plugins.gallery.chain import chain_of
from airflow_claid.plugins.gallery.files import Reach
from airflow_claid.plugins.gallery.links import Links, Scope
from airflow_claid.plugins.gallery.listing import Listings, Wanted
from airflow_claid.plugins.gallery.manifests import Manifests
from airflow_claid.plugins.gallery.pictures import STATES, Picture, Where
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.plugins.gallery.receipts import facts_of, receipt_of
from airflow_claid.plugins.gallery.rendering import page
from airflow_claid.plugins.gallery.reports import Report
from airflow_claid.plugins.gallery.thumbnails import Shown, Thumbnails

_AT_ONCE = 6
_RUNS_SHOWN = 20
_THUMBNAILS_OF_RUN = 6
_SAMPLED_BYTES = 4_000_000
_DAG_RUN = "/images/dags/{dag_id}/runs/{run_id}"
_TASK = _DAG_RUN + "/tasks/{task_id}/{map_index}"

_Result = TypeVar("_Result")

router = APIRouter()
_guarded = APIRouter(dependencies=[Depends(access.reads_xcom)])


class Service:
    """What the pages are made of; one for the process."""

    def __init__(self) -> None:
        self.reach = Reach()
        self.listings = Listings(self.reach, Manifests())
        self.thumbnails = Thumbnails(self.reach)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="claid-gallery")

    async def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Run a function in one of few threads: the API server's own stay free, and memory is bounded."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *arguments))


@cache
def service() -> Service:
    """Return the process's one service; made with the first request, after Airflow has forked its workers."""
    return Service()


ServiceDep = Annotated[Service, Depends(service)]


def links_of(request: Request) -> Links:
    """Return what makes addresses as the browser knows them: with the path of Airflow's own."""
    return Links(request.scope.get("root_path", ""))


LinksDep = Annotated[Links, Depends(links_of)]


def wanted_of(
    state: Annotated[str, Query(max_length=20)] = "",
    text: Annotated[str, Query(max_length=200)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Wanted:
    """Read which pictures are wanted."""
    return Wanted(state if state in STATES else "", text.strip(), page)


WantedDep = Annotated[Wanted, Depends(wanted_of)]


def where_of(dag_id: str, run_id: str, task_id: str, map_index: int, row: int) -> Where:
    """Read which picture is meant."""
    return Where(dag_id, run_id, task_id, map_index, row)


WhereDep = Annotated[Where, Depends(where_of)]


@router.get("/images")
async def latest(service: ServiceDep, links: LinksDep, user: Annotated[Any, Depends(access.signed_in)]) -> Response:
    """Show the latest runs that made pictures, of the DAGs whose XCom the person may read."""
    runs = await service.run(_latest, service, user)
    return page("latest.html", links, title="Images", runs=runs)


def _latest(service: Service, user: Any) -> list[tuple[Scope, Any, list[Picture]]]:
    found = reports.latest_runs(access.visible_dags(user), access.xcom_reader(user), _RUNS_SHOWN)
    return [(Scope(run.dag_id, run.run_id), run, _sample(service, run.dag_id, run.run_id, some)) for run, some in found]


def _sample(service: Service, dag_id: str, run_id: str, found: list[Report]) -> list[Picture]:
    """Return a few pictures of a run; large manifests are not read for that."""
    parts, _ = service.listings.parts(dag_id, run_id, found, _SAMPLED_BYTES)
    pictures = (part.picture(row) for part in parts for row in range(min(len(part), _THUMBNAILS_OF_RUN)))
    return [each for each in pictures if each.shown and not each.is_video][:_THUMBNAILS_OF_RUN]


@_guarded.get(_DAG_RUN)
async def of_run(dag_id: str, run_id: str, service: ServiceDep, links: LinksDep, wanted: WantedDep) -> Response:
    """Show the pictures of a DAG run."""
    return await service.run(_gallery, service, links, Scope(dag_id, run_id), wanted)


@_guarded.get(_TASK)
async def of_task(
    dag_id: str, run_id: str, task_id: str, map_index: str, service: ServiceDep, links: LinksDep, wanted: WantedDep
) -> Response:
    """Show the pictures of a task instance; where Airflow names no map index, of all of the task's."""
    index = int(map_index) if map_index.removeprefix("-").isdecimal() else None
    return await service.run(_gallery, service, links, Scope(dag_id, run_id, task_id, index), wanted)


def _gallery(service: Service, links: Links, scope: Scope, wanted: Wanted) -> Response:
    found = reports.reports_of(scope.dag_id, scope.run_id, scope.task_id, scope.map_index)
    shown = service.listings.page(scope.dag_id, scope.run_id, found, wanted)
    names = {(each.task_id, each.map_index): _name_of(each) for each in found}
    return page(
        "gallery.html",
        links,
        title="Images",
        scope=scope,
        wanted=replace(wanted, page=shown.number),
        shown=shown,
        names=names,
        several=len(found) > 1,
    )


def _name_of(report: Report) -> str:
    if report.map_index < 0:
        return report.task_id
    return f"{report.task_id} [{report.label or report.map_index}]"


@_guarded.get(_TASK + "/{row}")
async def of_picture(
    where: WhereDep,
    service: ServiceDep,
    links: LinksDep,
    wanted: WantedDep,
    of: Annotated[Literal["", "task", "run"], Query()] = "",
) -> Response:
    """Show one picture: large, with its path, its receipt, and its chain."""
    return await service.run(_picture, service, links, where, wanted, of)


def _picture(service: Service, links: Links, where: Where, wanted: Wanted, of: str) -> Response:
    picture = service.listings.picture(where)
    of_run = reports.reports_of(where.dag_id, where.run_id)
    parts, problems = service.listings.parts(where.dag_id, where.run_id, of_run)
    receipt = receipt_of(picture, service.reach, _connection(where))
    back = {
        "run": Scope(where.dag_id, where.run_id),
        "task": Scope(where.dag_id, where.run_id, where.task_id),
    }.get(of, Scope(where.dag_id, where.run_id, where.task_id, where.map_index))
    return page(
        "picture.html",
        links,
        title=picture.title,
        picture=picture,
        chain=chain_of(picture, parts),
        problems=problems,
        facts=facts_of(receipt) if receipt else {},
        scope=back,
        wanted=wanted,
    )


@_guarded.get(_TASK + "/{row}/{which}/{size}")
async def file(
    where: WhereDep, which: str, size: Literal["thumbnail", "large"], service: ServiceDep, request: Request
) -> Response:
    """Give a picture itself, reduced; nothing but what can be opened as a picture."""
    shown = await service.run(_file, service, where, which, size)
    headers = {"ETag": f'"{shown.etag}"', "Cache-Control": "private, no-cache"}
    headers |= {"X-Picture-Size": f"{shown.width}x{shown.height}"}
    if f'"{shown.etag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(shown.content, media_type="image/webp", headers=headers)


def _file(service: Service, where: Where, which: str, size: str) -> Shown:
    picture = service.listings.picture(where)
    if picture.state == "expired":
        raise NotShownError("Claid's temporary link has expired.", status=410, state="expired")
    address = _address(picture, which)
    if address is None:
        raise NotShownError("The task reported no such picture.", status=404)
    return service.thumbnails.get(address, size, _connection(where))


def _address(picture: Picture, which: str) -> str | None:
    if which == "input":
        return picture.origin
    number = int(which) if which.isdecimal() and len(which) < 4 else len(picture.paths)
    return picture.paths[number] if number < len(picture.paths) else None


def _connection(where: Where) -> Callable[[], str]:
    return partial(reports.connection_of, where.dag_id, where.run_id, where.task_id, where.map_index)


router.include_router(_guarded)
