"""The servers of the benchmarks, each a process of its own: ``claid-sandbox``, and moto for S3."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import requests

from tests.conftest import s3_connection
from tests.support.processes import free_port, served
from tests.support.s3 import S3_KEYS

KEY = "sandbox-key"
LARGE_QUOTA = "1000000/1"


@dataclass(frozen=True)
class Request:
    """One request of the sandbox's ledger.

    :param arrived: seconds since the epoch, to the millisecond.
    :param status: of the answer; ``None`` while it is running.
    """

    operation: str
    arrived: float
    status: int | None
    credits: float
    prompt: str
    key: str | None


@dataclass(frozen=True)
class ClaidProcess:
    """A ``claid-sandbox`` in a process of its own, controlled over HTTP."""

    url: str

    def reset(self) -> None:
        """Reset it to its initial state and settings."""
        self._ask("POST", "reset")

    def change(self, **settings: Any) -> None:
        """Change the quota or the latency while it runs."""
        self._ask("PUT", "settings", settings)

    def fault(self, kind: str, **conditions: Any) -> None:
        """Inject a fault."""
        self._ask("POST", "faults", {"kind": kind, **conditions})

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._ask("DELETE", "faults")

    def add_key(self, key: str) -> str:
        """Accept one more key of the same account; return its label in the ledger."""
        return str(self._ask("POST", "keys", {"key": key})["key"])

    def charged(self) -> float:
        """Return the credits charged since the start or the last reset."""
        return float(self._ask("GET", "credits")["charged"])

    def requests(self, operation: str = "", since: int = 0) -> list[Request]:
        """Return the requests of the ledger, of one operation or all, oldest first."""
        query = f"ledger?since={since}" + (f"&operation={operation}" if operation else "")
        return [
            Request(
                entry["operation"],
                datetime.fromisoformat(entry["time"]).timestamp(),
                entry["status"],
                entry["credits"],
                entry["prompt"] or "",
                entry["key"],
            )
            for entry in self._ask("GET", query)
        ]

    def requests_of_the_quota(self) -> list[Request]:
        """Return the requests that count in the quota or were refused by it: all but those about storages."""
        return [one for one in self.requests() if "storage" not in one.operation]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self.url}/sandbox/{path}", json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def claid(*options: str, bucket: Path | None = None) -> Iterator[ClaidProcess]:
    """Run ``claid-sandbox`` until the block ends.

    :param options: of its command line.
    :param bucket: a folder that serves as the bucket of a connected storage named ``shop``.
    """
    port = free_port()
    command = [str(Path(sys.executable).with_name("claid-sandbox")), "--port", str(port), *options]
    if bucket is not None:
        bucket.mkdir(parents=True, exist_ok=True)
        command += ["--storage", "shop=s3://connected", "--bucket", f"connected={bucket}"]
    with served(command, port) as url:
        yield ClaidProcess(url)


@contextmanager
def s3(*buckets: str) -> Iterator[str]:
    """Run a moto server with these buckets until the block ends; yield its address."""
    port = free_port()
    with served([sys.executable, "-m", "moto.server", "-p", str(port)], port) as url:
        for bucket in buckets:
            boto3.client("s3", endpoint_url=url, **S3_KEYS).create_bucket(Bucket=bucket)
        yield url


def connections(sandbox: ClaidProcess, bucket: Path | None = None, s3_url: str = "") -> dict[str, dict[str, Any]]:
    """Return the Airflow connections to these servers: ``claid_default``, ``claid_http`` and ``aws_shop``."""
    extra = {"storages": {"shop": bucket.as_uri()}} if bucket is not None else {}
    by_id = {
        "claid_default": {"conn_type": "claid", "password": KEY, "host": sandbox.url, "extra": extra},
        "claid_http": {"conn_type": "http", "host": sandbox.url, "extra": {"Authorization": f"Bearer {KEY}"}},
    }
    return by_id | ({"aws_shop": s3_connection(s3_url)} if s3_url else {})


def as_variables(connections: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return connections as the environment variables from which Airflow reads them."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()}
