"""An Airflow for the benchmark: a database, tasks that a real scheduler defers, and a triggerer to measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tests.support.postgresql import for_sqlalchemy

ROOT = Path(__file__).resolve().parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Airflow:
    """An Airflow with its metadata in a PostgreSQL database.

    :param home: its folder.
    :param database: address of the database.
    :param connections: Airflow connections by id.
    """

    home: Path
    database: str
    connections: dict[str, dict[str, Any]]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of its processes."""
        return {
            **os.environ,
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in self.connections.items()},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(ROOT),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": for_sqlalchemy(self.database),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "0",
        }

    def __call__(self, *arguments: str) -> None:
        """Run an ``airflow`` command."""
        done = subprocess.run(
            self._command(*arguments), env=self.environment, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a part of Airflow, such as the triggerer, until the block ends."""
        with (self.home / f"{arguments[0]}.txt").open("ab") as output:
            process = subprocess.Popen(
                self._command(*arguments), env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()

    def deferred(self, dag_id: str, dag: str, tasks: int) -> None:
        """Let the scheduler run some DAGs and defer all their tasks."""
        (self.home / "dags").mkdir(exist_ok=True)
        (self.home / "dags" / f"{dag_id}.py").write_text(dag, encoding="utf-8")
        self("dags", "reserialize")
        with self.running("scheduler"):
            _until(lambda: self.count(dag_id, "state = 'deferred'") == tasks, 300)

    def count(self, dag_id: str, condition: str) -> int:
        """Count the task instances of these DAGs that meet a condition."""
        (row,) = self.rows(f"SELECT count(*) FROM task_instance WHERE dag_id LIKE '{dag_id}%' AND {condition}")
        return int(row[0])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Query the database."""
        connection = psycopg2.connect(self.database)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def _command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("airflow")), *arguments]


@dataclass
class Weight:
    """The CPU time and memory of a process and of those that it started.

    :param cpu: seconds of CPU so far.
    :param memory: the largest proportional set size seen, in MB.
    """

    pid: int
    cpu: float = 0.0
    memory: float = 0.0
    _cpu_of: dict[int, float] = field(default_factory=dict)

    def measure(self) -> None:
        """Measure now."""
        memory = 0.0
        for pid in _family(self.pid):
            with suppress(OSError, ValueError):
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                self._cpu_of[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
                memory += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        self.cpu = sum(self._cpu_of.values())
        self.memory = max(self.memory, memory)


def _family(pid: int) -> list[int]:
    processes = [pid]
    for parent in processes:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                processes += [int(child) for child in children.read_text(encoding="utf-8").split()]
    return processes


def _until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {seconds:g} s")
        time.sleep(0.5)
