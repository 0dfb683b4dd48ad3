"""Start a sandbox and Airflow with its UI, to try things by hand; Ctrl+C stops both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from local_airflow import (
    DEMO,
    SANDBOX_KEY,
    airflow_environment,
    command,
    free_port,
    migrate,
    running,
    sandbox,
    wait_for,
)

FIRST_DAG = "catalogue_chain"
BUCKET = DEMO / "shop"
"""What the connected storage ``shop`` has; most examples write to it."""

CONNECTIONS = DEMO / "connections.json"

NOTES = """
==> Airflow:         {airflow}   (no login; this machine only)
    Pictures:        {airflow}/plugin/claid_latest_images
    Claid (sandbox): {claid}   every request, with its pictures and credits

    The DAGs are the examples of dags_examples/. Click Trigger: nothing runs by itself, and nothing costs money.
    Each writes to the folder of its parameter "output":
        file:///tmp/...        product_catalogue, catalogue_chain, review and others; they need nothing else
        storage://shop/...     ai_edit, batch_edit, image_to_video and others;
                               the storage is connected, and is the folder {bucket}
        a bucket of your own   connected_storage: needs an Airflow connection to AWS or Google Cloud
    review waits for you under Required Actions. The tab Images of a task or a run has its pictures.
"""


def main() -> int:
    """Run until interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    BUCKET.mkdir(parents=True, exist_ok=True)
    print("==> Starting a local Claid and Airflow; this takes half a minute", flush=True)
    with sandbox(DEMO / "sandbox.log") as claid:
        connect_bucket(claid)
        port = free_port(8080)
        url = f"http://127.0.0.1:{port}"
        environment = environment_of(claid, port)
        migrate(environment, DEMO / "migrate.log")
        add_connections(environment, claid)
        log = DEMO / "standalone.log"
        with running([command("airflow"), "standalone"], log, environment) as airflow:
            wait_for(f"{url}/api/v2/monitor/health", airflow, log, seconds=300)
            print(NOTES.format(airflow=url, claid=claid, bucket=BUCKET), flush=True)
            try:
                run_first(url, airflow)
                while airflow.poll() is None:
                    time.sleep(1)
            except KeyboardInterrupt:
                print("\n==> Stopping")
                return 0
    return 1


def environment_of(claid: str, port: int) -> dict[str, str]:
    """Return the environment of an Airflow whose connections are in its page, and whose DAGs run when clicked."""
    environment = airflow_environment(claid)
    del environment["AIRFLOW_CONN_CLAID_DEFAULT"]
    return environment | {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
    }


def connect_bucket(claid: str) -> None:
    """Connect the storage ``shop`` to the sandbox's account: a folder of this machine."""
    call(f"{claid}/sandbox/storages", {"name": "shop", "bucket": "shop", "type": "s3", "where": str(BUCKET)})


def add_connections(environment: dict[str, str], claid: str) -> None:
    """Put the connection into Airflow's database, where its page shows it."""
    extra = {"storages": {"shop": f"file://{BUCKET}"}}
    connection = {"conn_type": "claid", "password": SANDBOX_KEY, "host": claid, "extra": json.dumps(extra)}
    with os.fdopen(os.open(CONNECTIONS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"claid_default": connection}, file)
    arguments = [command("airflow"), "connections", "import", "--overwrite", str(CONNECTIONS)]
    with (DEMO / "connections.log").open("wb") as log:
        done = subprocess.run(arguments, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    CONNECTIONS.unlink()
    if done.returncode:
        sys.exit(f"airflow connections import failed; see {Path(log.name)}")


def run_first(url: str, airflow: subprocess.Popen[bytes]) -> None:
    """Run one of the examples where none was run yet, so that there is something to look at."""
    token = {"Authorization": f"Bearer {call(f'{url}/auth/token')['access_token']}"}
    runs = f"{url}/api/v2/dags/{FIRST_DAG}/dagRuns"
    until = time.monotonic() + 120
    while time.monotonic() < until and airflow.poll() is None:
        try:
            if call(runs, headers=token)["total_entries"]:
                return
            run = call(runs, {"logical_date": None}, token)["dag_run_id"]
        except OSError:  # the DAG file has not been read yet
            time.sleep(1)
            continue
        print(f"==> Running {FIRST_DAG}, so that there is something to look at", flush=True)
        state = ""
        while airflow.poll() is None and state not in ("success", "failed"):
            time.sleep(1)
            with suppress(OSError):  # the API is busy
                state = call(f"{runs}/{run}", headers=token)["state"]
        print(f"==> {FIRST_DAG} has ended ({state}): {url}/dags/{FIRST_DAG}/runs/{run}/plugin/claid_run_images")
        return


def call(url: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Any:
    """Send a GET, or a POST with a body as JSON, and return the answer.

    :raises OSError: if it is refused.
    """
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
