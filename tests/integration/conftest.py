"""A real Airflow, run as a user runs it: the ``airflow`` command, a database of its own, DAG files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Airflow:
    """An Airflow with a home of its own."""

    home: Path
    dags: Path = ROOT / "dags_examples"
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        connections = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in self.connections.items()}
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "PYTHONPATH": str(ROOT),
            **connections,
            **self.settings,
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an ``airflow`` command and give what it printed."""
        command = [str(Path(sys.executable).parent / "airflow"), *arguments]
        return subprocess.run(
            command, env=self.environment, text=True, capture_output=True, check=False, timeout=300, cwd=self.home
        )

    def run_dag(self, dag_id: str, conf: dict[str, Any] | None = None) -> tuple[int, str]:
        """Run a DAG to its end; give the exit status and the whole log."""
        done = self("dags", "test", dag_id, "--conf", json.dumps(conf or {}))
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow")
    migrated = Airflow(home)("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr[-2000:]
    return home


@pytest.fixture
def airflow(airflow_home: Path, own_sandbox: Sandbox) -> Airflow:
    """An Airflow that is connected to a sandbox."""
    claid = {"conn_type": "claid", "password": own_sandbox.api_key, "host": own_sandbox.url}
    return Airflow(airflow_home, connections={"claid_default": claid})


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(quota="6000/60,100/1", job_seconds=0.1)) as sandbox:
        yield sandbox
