"""Who may see what: the rights of Airflow, asked of its auth manager."""

from __future__ import annotations

from collections.abc import Callable

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag

reads_xcom = requires_access_dag("GET", DagAccessEntity.XCOM)
"""The dependency of each route about a DAG: 401 without a login, 403 without the right to read its XCom."""

signed_in = get_user
"""The dependency that returns who asks: 401 without a login."""


def may_read_some(user: BaseUser) -> bool:
    """Tell whether a person may read XComs in general, also while there is no DAG."""
    return get_auth_manager().is_authorized_dag(method="GET", access_entity=DagAccessEntity.XCOM, user=user)


def visible_dags(user: BaseUser) -> set[str]:
    """Return the ids of the DAGs that a person may see."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


def xcom_reader(user: BaseUser) -> Callable[[str], bool]:
    """Return what tells whether a person may read the XCom of a DAG."""
    known: dict[str, bool] = {}

    def may_read(dag_id: str) -> bool:
        if dag_id not in known:
            known[dag_id] = get_auth_manager().is_authorized_dag(
                method="GET", access_entity=DagAccessEntity.XCOM, details=DagDetails(id=dag_id), user=user
            )
        return known[dag_id]

    return may_read
