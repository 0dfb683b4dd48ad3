"""Serves the gallery of one task as Airflow's API server does, with its report from the command line, and no login."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from airflow_claid.plugins.gallery import access, reports, routes
from airflow_claid.plugins.gallery.reports import Report


def main() -> None:
    """Serve until the process is ended."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    told = json.loads(file.read_text(encoding="utf-8"))
    report = Report("generate", -1, tuple(told["images"]), told["manifest"])
    reports.reports_of = lambda *_, **__: [report]
    reports.connection_of = lambda *_: "claid_default"
    app = FastAPI()
    app.include_router(routes.router)
    app.dependency_overrides[access.reads_xcom] = lambda: None
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
