"""Start a sandbox and Airflow with its UI, to try things by hand; Ctrl+C stops both."""

from __future__ import annotations

import signal
import sys
import time

from local_airflow import DEMO, airflow_environment, command, free_port, running, sandbox, wait_for


def main() -> int:
    """Run until interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    DEMO.mkdir(exist_ok=True)
    print("==> Starting a local Claid and Airflow; this takes half a minute", flush=True)
    with sandbox(DEMO / "sandbox.log") as claid:
        port = free_port(8080)
        environment = airflow_environment(claid) | {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        }
        log = DEMO / "standalone.log"
        with running([command("airflow"), "standalone"], log, environment) as airflow:
            wait_for(f"http://127.0.0.1:{port}/api/v2/monitor/health", airflow, log, seconds=180)
            print(f"==> Airflow:  http://127.0.0.1:{port}   (no login; this machine only)")
            print(f"==> Claid:    {claid}   (ledger: {claid}/sandbox/ledger)")
            print("==> Unpause and trigger product_catalogue. Ctrl+C stops both.", flush=True)
            try:
                while airflow.poll() is None:
                    time.sleep(1)
            except KeyboardInterrupt:
                print("\n==> Stopping")
                return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
