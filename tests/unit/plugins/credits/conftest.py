"""The credits page, with bills from memory and rights that a header names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import pytest
from fastapi import HTTPException, Request
from fastapi.testclient import TestClient

from airflow_claid.plugins.app import create_app
from airflow_claid.plugins.credits import sums
from airflow_claid.plugins.gallery import access, reports
from airflow_claid.plugins.gallery.reports import TaskRef

Bills = list[tuple[TaskRef, Any]]


def xcom(*days: tuple[str, str, dict[str, float]], **facts: object) -> dict[str, Any]:
    """An XCom ``bill``."""
    return {
        "version": 1,
        "days": [{"day": day, "operation": operation, **paid} for day, operation, paid in days],
        "connection": "claid_default",
        **facts,
    }


@pytest.fixture
def bills(monkeypatch: pytest.MonkeyPatch) -> Bills:
    """What tasks reported; a test fills it."""
    found: Bills = []

    def bills_of(dag_ids: Collection[str] | None, since: datetime) -> Iterator[tuple[TaskRef, Any]]:
        return (each for each in found if dag_ids is None or each[0].dag_id in dag_ids)

    monkeypatch.setattr(sums, "bills_of", bills_of)
    monkeypatch.setattr(reports, "failed_without_bill", lambda *_, most: [])
    monkeypatch.setattr(reports, "known_dags", lambda dag_ids: set(dag_ids) & {"shop", "shop.secret"})
    return found


@pytest.fixture
def client(bills: Bills, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A person who may read the XCom of the DAG ``shop``; ``X-Rights`` takes that from him."""

    def rights(request: Request) -> str:
        said = request.headers.get("X-Rights")
        if said is None:
            raise HTTPException(401, "Not authenticated")
        return said

    app = create_app()
    app.dependency_overrides |= {access.signed_in: rights}
    monkeypatch.setattr(access, "visible_dags", lambda user: {"shop", "shop.secret"})
    monkeypatch.setattr(access, "may_read_some", lambda user: user in ("read", "all"))
    monkeypatch.setattr(
        access, "xcom_reader", lambda user: lambda dag: user == "all" or (user, dag) == ("read", "shop")
    )
    with TestClient(app, headers={"X-Rights": "read"}) as client:
        yield client
