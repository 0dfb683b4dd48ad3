"""A sandbox and an Airflow for this checkout, below ``demo/``, for the demo and to try things by hand."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
SANDBOX_PORT = 8765
SANDBOX_KEY = "sandbox-key"


def command(name: str) -> str:
    """Return the path of a command in this virtual environment."""
    return str(Path(sys.executable).parent / name)


def free_port(preferred: int) -> int:
    """Return the preferred port if it is free, else any other."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def airflow_environment(sandbox_url: str) -> dict[str, str]:
    """Return the environment of an Airflow that keeps its files below ``demo/`` and calls the sandbox."""
    connection = {"conn_type": "claid", "password": SANDBOX_KEY, "host": sandbox_url}
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(DEMO / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags_examples"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{DEMO}/airflow/airflow.db?timeout=60",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_CLAID_DEFAULT": json.dumps(connection),
    }


@contextmanager
def running(
    arguments: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command and its child processes until the block ends; the output goes to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=ROOT, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def sandbox(log: Path) -> Iterator[str]:
    """Run a sandbox until the block ends, and yield its address."""
    port = free_port(SANDBOX_PORT)
    arguments = ["--port", str(port), "--key", SANDBOX_KEY, "--quota", "600/60,20/1"]
    with running([command("claid-sandbox"), *arguments], log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/sandbox/credits", process, log, seconds=30)
        yield url


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    """Wait until an address answers; exit with the log's last lines if it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.2)
    sys.exit(f"{url} did not answer. The end of {log}:\n" + "\n".join(log.read_text().splitlines()[-20:]))


def migrate(environment: dict[str, str], log: Path) -> None:
    """Create Airflow's SQLite database."""
    with log.open("wb") as output:
        done = subprocess.run(
            [command("airflow"), "db", "migrate"], env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        sys.exit(f"airflow db migrate failed; see {log}")
