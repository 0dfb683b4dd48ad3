"""The spend limits of the connections that tasks used, as far as a person may know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from airflow_claid.client import ClaidError
from airflow_claid.client.spending.standing import Standing
from airflow_claid.errors import AirflowClaidError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.plugins.gallery import reports


@dataclass(frozen=True)
class Limit:
    """A spend limit as one person sees it.

    :param connection: the id of a Claid connection under which it is counted.
    :param standing: what is used of it.
    :param by: credits of each DAG that he may read, the most first.
    :param by_others: credits of those that he may not.
    """

    connection: str
    standing: Standing
    by: tuple[tuple[str, float], ...]
    by_others: float


def limits_of(
    connections: Iterable[str], may_read: Callable[[str], bool], now: datetime
) -> tuple[list[Limit], list[str]]:
    """Return the spend limits of Claid connections, and sentences on those that cannot be read.

    A limit that is neither the connection's own nor used by a DAG that the person may read is left out.

    :param may_read: tells whether he may read the XCom of a DAG.
    :param now: the time.
    """
    limits: dict[tuple[str, str, str, float], Limit] = {}
    problems: list[str] = []
    for connection in sorted(connections):
        try:
            hook = ClaidHook(connection)
            own = {limit.name for limit in hook.spend_limits}
            standings = hook.standings(now)
        except (ClaidError, AirflowClaidError) as error:
            problems.append(str(error))
            continue
        except Exception as error:  # noqa: BLE001 - a secrets backend raises errors of its own
            problems.append(f"The connection {connection!r} cannot be read here ({type(error).__name__})")
            continue
        for standing in standings:
            limit = _as_seen(connection, standing, may_read)
            if limit.by or standing.limit.name in own:
                known = standing.limit
                limits.setdefault((known.name, known.per, known.timezone, standing.used), limit)
    return list(limits.values()), problems


def _as_seen(connection: str, standing: Standing, may_read: Callable[[str], bool]) -> Limit:
    dag_of = partial(_dag_of, dags=reports.known_dags({dag for who in standing.by for dag in _beginnings(who)}))
    by: dict[str, float] = {}
    for who, used in standing.by.items():
        dag_id = dag_of(who)
        if dag_id is not None and may_read(dag_id):
            by[dag_id] = by.get(dag_id, 0.0) + used
    others = sum(standing.by.values()) - sum(by.values())
    return Limit(connection, standing, tuple(sorted(by.items(), key=lambda one: (-one[1], one[0]))), round(others, 3))


def _dag_of(who: str, dags: set[str]) -> str | None:
    """Return the DAG of ``DAG.TASK``: either may have dots, so the longest that is a DAG."""
    return max((dag for dag in _beginnings(who) if dag in dags), key=len, default=None)


def _beginnings(who: str) -> list[str]:
    parts = who.split(".")
    return [".".join(parts[:number]) for number in range(1, len(parts))]
