"""A whole Airflow (scheduler, LocalExecutor, API, each a process) that runs tasks as in production."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.processes import cpu_of, cpu_of_tree, descendant
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import Airflow
from tests.support.postgresql import database, for_sqlalchemy, postgresql_server

DAGS = Path(__file__).parent / "dags"
SLOTS = 32


@dataclass(frozen=True)
class RunningAirflow:
    """An Airflow that runs tasks.

    :param api: calls its API.
    :param scheduler: the scheduler's process; the executor's workers and their tasks are its descendants.
    """

    api: Standalone
    scheduler: psutil.Process

    def run(self, dag_id: str, conf: dict[str, Any], seconds: float = 900) -> str:
        """Run a DAG to its end; return the run's id.

        :raises RuntimeError: if it failed.
        """
        run_id = self.api.trigger(dag_id, conf)
        self.end(dag_id, run_id, seconds)
        return run_id

    def end(self, dag_id: str, run_id: str, seconds: float = 900) -> None:
        """Wait until a run has succeeded.

        :raises RuntimeError: if it failed.
        """
        if self.api.ended(dag_id, run_id, seconds) != "success":
            raise RuntimeError(f"{dag_id} failed:\n{self.api.logs()[-3000:]}")

    def cpu_of_tasks(self) -> float:
        """Return the CPU seconds so far of all tasks, their supervisors and the executor, without the scheduler."""
        return cpu_of_tree(self.scheduler) - cpu_of(self.scheduler)

    def tasks(self) -> list[psutil.Process]:
        """Return the processes that run tasks at this moment, without their supervisors."""
        named = [(one, " ".join(one.cmdline())) for one in self.scheduler.children(recursive=True)]
        return [one for one, title in named if title.startswith("airflow worker -- ") and "Executor" not in title]


@contextmanager
def running_airflow(
    connections: dict[str, dict[str, Any]],
    variables: dict[str, str] | None = None,
    *,
    examples: Sequence[Path] = (),
) -> Iterator[RunningAirflow]:
    """Run Airflow with the DAGs of the benchmarks until the block ends.

    :param connections: Airflow connections by id.
    :param variables: environment variables of its processes.
    :param examples: folders of more DAGs.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bench-airflow-", ignore_cleanup_errors=True) as folder,
        postgresql_server() as server,
        database(server) as address,
    ):
        home, dags = Path(folder) / "home", Path(folder) / "dags"
        home.mkdir()
        shutil.copytree(DAGS, dags, ignore=shutil.ignore_patterns("__pycache__"))
        sql = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": for_sqlalchemy(address)}
        for more in examples:
            shutil.copytree(more, dags / more.name, ignore=shutil.ignore_patterns("__pycache__"))
        settings = {**sql, **(variables or {})}
        airflow = Airflow(home, dags, connections, settings)
        with standalone(airflow, parallelism=SLOTS, seconds=300, preloaded=False) as api:
            yield RunningAirflow(api, descendant(psutil.Process(), "scheduler"))
