"""Airflow with scheduler, workers, triggerer and API, each a process of its own, started and stopped by a test."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from tests.support.airflow import Airflow
from tests.support.processes import ended_at_our_death, free_port
from tests.support.warm_airflow import warm_airflow

_QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
}

SERVICES = ("scheduler", "dag-processor", "api-server", "triggerer")

_PATIENCE = 240
"""Seconds for an answer: on a busy machine the first one, which loads much, takes long."""


class Standalone:
    """A running Airflow, spoken to by its REST API.

    :param services: the process id of each.
    """

    def __init__(
        self, airflow: Airflow, url: str, user: str | None = None, services: Mapping[str, int] | None = None
    ) -> None:
        self.airflow = airflow
        self.url = url
        self.services = dict(services or {})
        self._headers = {"Authorization": f"Bearer {self.token(user)}"}

    def token(self, user: str | None) -> str:
        """Log in as a user, whose password is his name; as everybody's admin where there are no users."""
        if user is None:
            return str(requests.get(f"{self.url}/auth/token", timeout=_PATIENCE).json()["access_token"])
        login = {"username": user, "password": user}
        return str(requests.post(f"{self.url}/auth/token", json=login, timeout=_PATIENCE).json()["access_token"])

    def get(self, path: str, token: str | None = None, **headers: str) -> requests.Response:
        """Ask for a page or file below Airflow's address, as a user or as nobody."""
        cookies = {"_token": token} if token else None
        return requests.get(f"{self.url}/{path}", cookies=cookies, headers=headers, timeout=_PATIENCE)

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method, f"{self.url}/api/v2/{path}", headers=self._headers, json=body or None, timeout=_PATIENCE
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run once the DAG file has been read; give the run's id."""
        self.until(lambda: self._exists(f"dags/{dag_id}"), 60)
        run = self.call("POST", f"dags/{dag_id}/dagRuns", logical_date=None, conf=conf or {})
        return str(run["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def ended(self, dag_id: str, run_id: str, seconds: float = 180) -> str:
        """Wait for a run's end; give its state."""
        self.until(lambda: self.state(dag_id, run_id) in ("success", "failed"), seconds)
        return self.state(dag_id, run_id)

    def runs(self, dag_id: str, run_type: str = "") -> list[tuple[str, str]]:
        """Return the id and state of all runs, or those of a type."""
        query = f"limit=100&run_type={run_type}" if run_type else "limit=100"
        answer = requests.get(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns?{query}", headers=self._headers, timeout=_PATIENCE
        )
        runs = answer.json()["dag_runs"] if answer.ok else []
        return [(str(run["dag_run_id"]), str(run["state"])) for run in runs]

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run, as a person does in the page."""
        self.call("POST", f"dags/{dag_id}/dagRuns/{run_id}/clear", dry_run=False)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}?deserialize=true"
        return self.call("GET", path)["value"]

    def logs(self) -> str:
        """Return all task logs."""
        files = sorted((self.airflow.home / "logs").glob("dag_id=*/**/*.log"))
        return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def scheduler(self, lines: int | None = 60) -> str:
        """Return the last lines of the scheduler's output, or all."""
        name = "scheduler" if self.services else "standalone"
        output = (self.airflow.home / f"{name}.txt").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(output[-lines:] if lines else output)

    def output(self) -> str:
        """Return all that the services have printed."""
        files = sorted(self.airflow.home.glob("*.txt"))
        return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def until(self, holds: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not so after {seconds} s:\n{self.scheduler()}\n{self.logs()[-3000:]}")
            time.sleep(0.3)

    def _exists(self, path: str) -> bool:
        return requests.get(f"{self.url}/api/v2/{path}", headers=self._headers, timeout=_PATIENCE).ok


@contextmanager
def standalone(
    airflow: Airflow,
    *,
    port: int | None = None,
    execution_url: str | None = None,
    seconds: float = 120,
    parallelism: int = 4,
    path: str = "",
    users: Mapping[str, str] | None = None,
    preloaded: bool = True,
) -> Iterator[Standalone]:
    """Run what ``airflow standalone`` runs until the block ends.

    :param port: of the API; any free one by default.
    :param execution_url: where tasks' supervisors find the API, if not there.
    :param parallelism: tasks that run at once.
    :param path: of its base URL, such as ``/airflow``.
    :param users: role by name, the first one's an admin's; by default everybody is an admin.
    :param preloaded: whether its processes are forks of one that has loaded all; if not, they cost what a user's cost.
    """
    port = port or free_port()
    url = f"http://127.0.0.1:{port}{path}"
    airflow.settings |= _QUICK | {
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": execution_url or f"{url}/execution/",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    if users:
        airflow.settings |= _with_users(airflow.home, users)
    with _preloaded_services(airflow) if preloaded else _standalone_command(airflow) as services:
        deadline = time.monotonic() + seconds
        while not _healthy(url):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow did not start:\n{printed(airflow, services or ['standalone'])}")
            time.sleep(0.3)
        yield Standalone(airflow, url, next(iter(users)) if users else None, services)


@contextmanager
def _preloaded_services(airflow: Airflow) -> Iterator[dict[str, int]]:
    with loaded(airflow):
        migrated = airflow("db", "migrate")
        assert migrated.returncode == 0, migrated.stderr[-2000:]
        yield {name: airflow.start(name) for name in SERVICES}


@contextmanager
def _standalone_command(airflow: Airflow) -> Iterator[dict[str, int]]:
    command = [str(Path(sys.executable).with_name("airflow")), "standalone"]
    with (airflow.home / "standalone.txt").open("wb") as output:
        process = subprocess.Popen(
            command, env=airflow.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    with ended_at_our_death(process):
        try:
            yield {}
        finally:
            _stop(process)


@contextmanager
def loaded(airflow: Airflow) -> Iterator[None]:
    """Load Airflow for services and commands, which are forks of it, until the block ends; then stop all of them."""
    with warm_airflow(airflow.environment, airflow.home, services=True) as warm, ended_at_our_death(warm.server):
        airflow.warm = warm
        try:
            yield
        finally:
            airflow.warm = None
            _stop(warm.server)


def printed(airflow: Airflow, services: Iterable[str]) -> str:
    """Return the last that each service has printed."""
    files = (airflow.home / f"{name}.txt" for name in services)
    return "\n".join(file.read_text(encoding="utf-8", errors="replace")[-2000:] for file in files)


def _with_users(home: Path, users: Mapping[str, str]) -> dict[str, str]:
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in users}), encoding="utf-8")
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in users.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }


def _healthy(url: str) -> bool:
    try:
        health = requests.get(f"{url}/api/v2/monitor/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return False
    return bool(health["scheduler"]["status"] == "healthy")


def _stop(process: subprocess.Popen[Any]) -> None:
    """Stop the whole group: a killed leader must not leave a scheduler behind.

    Its database is a file of the test's own, so what has not ended after some seconds may be killed.
    """
    os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + 5
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
