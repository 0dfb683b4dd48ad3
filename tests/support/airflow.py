"""A real Airflow, run as a user runs it: the ``airflow`` command, a database of its own, DAG files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.warm_airflow import WarmAirflow, warm_airflow

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Airflow:
    """An Airflow with a home of its own.

    :param warm: runs its commands without loading Airflow anew; by default each is a new process.
    """

    home: Path
    dags: Path = ROOT / "dags_examples"
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    warm: WarmAirflow | None = None

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
        """Run an ``airflow`` command and return what it printed."""
        return self.run("airflow", *arguments)

    def run(
        self, *command: str, folder: Path | None = None, settings: Mapping[str, str | None] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        """Run ``airflow``, ``claid`` or ``pytest`` in this Airflow, and return what it printed.

        :param folder: the working directory; by default Airflow's home.
        :param settings: replace variables of the environment; ``None`` removes one.
        """
        changed = {**self.environment, **settings}
        environment = {name: value for name, value in changed.items() if value is not None}
        folder = folder or self.home
        if self.warm:
            return self.warm.run(command, environment, 300, folder)
        program = str(Path(sys.executable).with_name(command[0]))
        return subprocess.run(
            [program, *command[1:]],
            env=environment, text=True, capture_output=True, check=False, timeout=300, cwd=folder,
        )  # fmt: skip

    def start(self, service: str, *arguments: str, name: str | None = None) -> int:
        """Start a service as a fork of the loaded Airflow, and return its process id.

        :param name: what it prints is in the file ``NAME.txt`` of the home; by default the service's name.
        """
        assert self.warm, "no Airflow is loaded"
        output = self.home / f"{name or service}.txt"
        return self.warm.start(("airflow", service, *arguments), self.environment, self.home, output)

    def run_dag(self, dag_id: str, conf: dict[str, Any] | None = None) -> tuple[int, str]:
        """Run a DAG to its end; return the exit status and the whole log."""
        done = self("dags", "test", dag_id, "--conf", json.dumps(conf or {}))
        return done.returncode, done.stdout + done.stderr


@contextmanager
def migrated_airflow(home: Path) -> Iterator[Airflow]:
    """Load an Airflow for many commands, make its database, and keep it until the block ends."""
    with warm_airflow(Airflow(home).environment, home) as warm:
        airflow = Airflow(home, warm=warm)
        migrated = airflow("db", "migrate")
        assert migrated.returncode == 0, migrated.stderr[-2000:]
        yield airflow
