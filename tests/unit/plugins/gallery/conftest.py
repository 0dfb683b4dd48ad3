"""The gallery's application, with reports from memory and rights that a header names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from airflow_claid.plugins.app import create_app
from airflow_claid.plugins.gallery import access, reports, routes
from airflow_claid.plugins.gallery.reports import Report, Run

RUN = "manual__2026-11-01T00:00:00+00:00"
OF_RUN = f"/images/dags/shop/runs/{RUN.replace('+', '%2B')}"
READER = {"X-Rights": "read"}

Reported = dict[tuple[str, str], list[Report]]


def image(path: str | None, **facts: Any) -> dict[str, Any]:
    """An entry of XCom ``images``."""
    return {
        "position": 1, "path": path, "blocked": False, "width": 64, "height": 48, "bytes": 120, "expires_at": None,
        "name": None, "prompt": "A linen sofa", "input": None, "fingerprint": None, "request_id": "r1", "credits": 1.0,
        **facts,
    }  # fmt: skip


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Reported:
    """What tasks reported, by DAG and run; a test fills it."""
    found: Reported = {}

    def reports_of(
        dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None, *, most: int | None = None
    ) -> list[Report]:
        return [
            report
            for report in found.get((dag_id, run_id), [])
            if task_id in (None, report.task_id) and map_index in (None, report.map_index)
        ]

    def latest_runs(dag_ids: set[str], may_read: Callable[[str], bool], most: int) -> list[Any]:
        runs = [(Run(dag, run, None, 1), of_run) for (dag, run), of_run in found.items()]
        return [(run, of_run) for run, of_run in runs if run.dag_id in dag_ids and may_read(run.dag_id)][:most]

    monkeypatch.setattr(reports, "reports_of", reports_of)
    monkeypatch.setattr(reports, "latest_runs", latest_runs)
    monkeypatch.setattr(reports, "connection_of", lambda *who: "claid_default")
    return found


@pytest.fixture
def app(reported: Reported, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    def rights(request: Request) -> str:
        said = request.headers.get("X-Rights")
        if said is None:
            raise HTTPException(401, "Not authenticated")
        return said

    def reads(request: Request) -> None:
        if rights(request) != "read":
            raise HTTPException(403, "Forbidden")

    app = create_app()
    service = routes.Service()
    app.dependency_overrides |= {access.reads_xcom: reads, access.signed_in: rights, routes.service: lambda: service}
    monkeypatch.setattr(access, "visible_dags", lambda user: {"shop", "secret"})
    monkeypatch.setattr(access, "xcom_reader", lambda user: lambda dag_id: user == "read" and dag_id == "shop")
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A person who may read the XCom of the DAG."""
    with TestClient(app, headers=READER) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made
