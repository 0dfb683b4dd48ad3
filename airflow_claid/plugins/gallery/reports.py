"""What tasks reported, read from Airflow's database: the only module that does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import exists, func, select
from sqlalchemy.engine import Row

from airflow_claid.fulfilment.bill import XCOM
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.plugins.gallery.pictures import is_reported_image

_LABEL = TaskInstance.__table__.c.rendered_map_index
_KEYS = ("images", "summary")
_RUNS_LOOKED_AT = 200
_SAMPLE = 8
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Report:
    """What one task instance reported.

    :param images: its XCom ``images``, as far as it is ours.
    :param manifest: address of the manifest that its XCom ``summary`` names; ``None`` where it is no batch.
    :param label: the name that the task gives its map index, if any.
    """

    task_id: str
    map_index: int
    images: tuple[Mapping[str, Any], ...] = ()
    manifest: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Run:
    """A DAG run that made pictures."""

    dag_id: str
    run_id: str
    when: datetime | None
    tasks: int


def reports_of(
    dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None, *, most: int | None = None
) -> list[Report]:
    """Return the reports of a run, of one of its tasks, or of one mapped task instance, in the order of their begin.

    :param most: no more XComs are read; by default all.
    """
    with create_session() as session:
        query = select(XComModel).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key.in_(_KEYS)
        )
        instances = select(TaskInstance.task_id, TaskInstance.map_index, _LABEL).where(
            TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id
        )
        if task_id is not None:
            query = query.where(XComModel.task_id == task_id)
            instances = instances.where(TaskInstance.task_id == task_id)
        if map_index is not None:
            query = query.where(XComModel.map_index == map_index)
            instances = instances.where(TaskInstance.map_index == map_index)
        rows = session.scalars(query.order_by(XComModel.map_index, XComModel.task_id).limit(most))
        values = [(row.task_id, row.map_index, row.key, _value(row)) for row in rows]
        ordered = instances.order_by(
            TaskInstance.start_date.is_(None), TaskInstance.start_date, TaskInstance.task_id, TaskInstance.map_index
        )
        known = [tuple(row) for row in session.execute(ordered)]
    return _ordered(_merged(values), known)


def _merged(values: Iterable[tuple[str, int, str, Any]]) -> dict[tuple[str, int], dict[str, Any]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for task_id, map_index, key, value in values:
        found.setdefault((task_id, map_index), {})[key] = value
    return found


def _ordered(
    found: Mapping[tuple[str, int], Mapping[str, Any]], known: Iterable[tuple[str, int, str | None]]
) -> list[Report]:
    """Return the reports task by task, in the order in which the tasks began, each by its map index."""
    labels = {(task, index): label for task, index, label in known}
    place: dict[str, int] = {}
    for task, _ in labels:
        place.setdefault(task, len(place))
    ordered = sorted(found, key=lambda who: (place.get(who[0], len(place)), who[0], who[1]))
    reports = (_report(*who, found[who], labels.get(who)) for who in ordered)
    return [report for report in reports if report.images or report.manifest]


def _report(task_id: str, map_index: int, values: Mapping[str, Any], label: str | None) -> Report:
    images, summary = values.get("images"), values.get("summary")
    ours = tuple(filter(is_reported_image, images)) if isinstance(images, (list, tuple)) else ()
    manifest = summary.get("manifest") if isinstance(summary, Mapping) and "items" in summary else None
    return Report(task_id, map_index, ours, manifest if isinstance(manifest, str) else None, label)


def _value(row: XComModel | Row[Any]) -> Any:
    """Return the value of an XCom, also of one that an XCom backend has put elsewhere."""
    value = XComModel.deserialize_value(row)
    if isinstance(value, str):
        from airflow.sdk.execution_time.xcom import XCom

        value = XCom.deserialize_value(row)
    return value


def connection_of(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the id of the Claid connection that a task used, as far as Airflow still knows it."""
    with create_session() as session:
        fields = session.scalar(
            select(RenderedTaskInstanceFields.rendered_fields).where(
                RenderedTaskInstanceFields.dag_id == dag_id,
                RenderedTaskInstanceFields.run_id == run_id,
                RenderedTaskInstanceFields.task_id == task_id,
                RenderedTaskInstanceFields.map_index == map_index,
            )
        )
    connection = fields.get("claid_conn_id") if isinstance(fields, Mapping) else None
    return connection if isinstance(connection, str) and connection else ClaidHook.default_conn_name


def latest_runs(dag_ids: Iterable[str], may_read: Callable[[str], bool], most: int) -> list[tuple[Run, list[Report]]]:
    """Return the latest runs that made pictures, of DAGs whose XCom a person may read, each with a few of its reports.

    :param dag_ids: the DAGs that he may see.
    :param may_read: tells whether he may read the XCom of one of them.
    """
    last = func.max(XComModel.timestamp)
    query = (
        select(XComModel.dag_id, XComModel.run_id, last, func.count(func.distinct(XComModel.task_id)))
        .join(DagRun, DagRun.id == XComModel.dag_run_id)
        .where(XComModel.key.in_(_KEYS), XComModel.dag_id.in_(list(dag_ids)))
        .group_by(XComModel.dag_id, XComModel.run_id)
        .order_by(last.desc())
        .limit(_RUNS_LOOKED_AT)
    )
    with create_session() as session:
        rows = [Run(*row) for row in session.execute(query)]
    runs: list[tuple[Run, list[Report]]] = []
    for run in rows:
        if len(runs) == most:
            break
        reports = reports_of(run.dag_id, run.run_id, most=_SAMPLE) if may_read(run.dag_id) else []
        if reports:
            runs.append((run, reports))
    return runs


@dataclass(frozen=True)
class TaskRef:
    """A task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


def bills_of(dag_ids: Collection[str] | None, since: datetime) -> Iterator[tuple[TaskRef, Any]]:
    """Yield the XComs ``bill`` that were pushed since a time, as they come from the database.

    :param dag_ids: of which DAGs; ``None`` for all.
    """
    query = select(
        XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value
    ).where(XComModel.key == XCOM, XComModel.timestamp >= since)
    if dag_ids is not None:
        query = query.where(XComModel.dag_id.in_(list(dag_ids)))
    with create_session() as session:
        for row in session.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            yield TaskRef(row.dag_id, row.run_id, row.task_id, row.map_index), _value(row)


def failed_without_bill(
    dag_ids: Collection[str] | None, operators: Collection[str], since: datetime, until: datetime, most: int
) -> list[TaskRef]:
    """Return task instances that failed in a time and reported no bill: they were killed, or failed at their begin.

    :param operators: the names of the operators that pay.
    :param most: no more are returned.
    """
    reported = exists().where(
        XComModel.dag_id == TaskInstance.dag_id,
        XComModel.run_id == TaskInstance.run_id,
        XComModel.task_id == TaskInstance.task_id,
        XComModel.map_index == TaskInstance.map_index,
        XComModel.key == XCOM,
    )
    query = (
        select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
        .where(
            TaskInstance.state.in_(("failed", "up_for_retry")),
            TaskInstance.operator.in_(list(operators)),
            TaskInstance.end_date >= since,
            TaskInstance.end_date < until,
            ~reported,
        )
        .order_by(TaskInstance.end_date.desc())
        .limit(most)
    )
    if dag_ids is not None:
        query = query.where(TaskInstance.dag_id.in_(list(dag_ids)))
    with create_session() as session:
        return [TaskRef(*row) for row in session.execute(query)]


def known_dags(dag_ids: Collection[str]) -> set[str]:
    """Return those that are DAGs."""
    with create_session() as session:
        return set(session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.in_(list(dag_ids)))))
