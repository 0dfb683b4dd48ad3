"""Airflow with its CeleryExecutor: PostgreSQL, Redis, and workers that are processes of their own, as on machines."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.integration.standalone import _QUICK, Standalone, _healthy, loaded, printed
from tests.support.airflow import Airflow
from tests.support.postgresql import database, for_sqlalchemy
from tests.support.processes import free_port


@dataclass(frozen=True)
class Cluster:
    """A running Airflow and the output of its workers."""

    api: Standalone
    outputs: tuple[Path, ...]

    def tasks_taken(self) -> list[int]:
        """How many tasks each worker has been given."""
        return [output.read_text(errors="replace").count("] received") for output in self.outputs]


@contextmanager
def celery_airflow(
    airflow: Airflow, workers: int, *, postgresql: str, broker: str, seconds: float = 300
) -> Iterator[Cluster]:
    """Run scheduler, API and workers until the block ends; then nothing is left of it.

    :param workers: how many; each has one slot.
    :param postgresql: address of the server for the metadata.
    :param broker: address of Celery's Redis.
    """
    name = f"airflow_claid_{uuid.uuid4().hex[:12]}"
    url = f"http://127.0.0.1:{free_port()}"
    with database(postgresql) as address, _keys_removed(broker, name), ExitStack() as processes:
        airflow.settings |= _QUICK | {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": url.rpartition(":")[2],
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API_AUTH__JWT_SECRET": uuid.uuid4().hex * 2,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": for_sqlalchemy(address),
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{for_sqlalchemy(address)}",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": f"{name}/",
            "AIRFLOW__OPERATORS__DEFAULT_QUEUE": name,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        }
        processes.enter_context(loaded(airflow))
        migrated = airflow("db", "migrate")
        assert migrated.returncode == 0, migrated.stderr[-2000:]
        started = [f"worker-{number}" for number in range(workers)]
        for number, worker in enumerate(started):
            airflow.start(*_worker(airflow, name, number), name=worker)
        outputs = [airflow.home / f"{worker}.txt" for worker in started]
        for service in ("api-server", "scheduler", "dag-processor"):
            airflow.start(service)
            started.append(service)
        deadline = time.monotonic() + seconds
        while not (_healthy(url) and all(" ready." in output.read_text(errors="replace") for output in outputs)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow did not start:\n{printed(airflow, started)}")
            time.sleep(0.3)
        yield Cluster(Standalone(airflow, url), tuple(outputs))


def _worker(airflow: Airflow, queue: str, number: int) -> list[str]:
    pid_file = str(airflow.home / f"worker-{number}.pid")
    return [
        "celery", "worker", "--queues", queue, "--celery-hostname", f"worker-{number}@%h", "--concurrency", "1",
        "--pid", pid_file, "--skip-serve-logs", "--without-gossip", "--without-mingle",
    ]  # fmt: skip


@contextmanager
def _keys_removed(broker: str, name: str) -> Iterator[None]:
    """Remove what Celery has put into the Redis under this name, when the block ends."""
    try:
        yield
    finally:
        server = redis.Redis.from_url(broker)
        for key in server.scan_iter(f"{name}/*", count=1000):
            server.delete(key)
