"""The pytest plugin. pytest imports it at every start, so it imports nothing of Airflow and nothing of the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from airflow_claid.sandbox import Sandbox
    from airflow_claid.testing import ClaidFaults, ClaidLedger

MARKER = "claid_sandbox"
_PLENTY = "100000/1"
"""Requests/seconds: a quota that no test uses up."""
_JOB_SECONDS = 0.05


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): settings of this test's claid_sandbox, those of airflow_claid.sandbox.SandboxSettings",
    )


@pytest.fixture
def claid_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A local Claid of this test's own: real HTTP on a free port, real pictures, no bill.

    Its quotas are never used up and its jobs end at once, unless the marker says otherwise::

        @pytest.mark.claid_sandbox(quota="4/1", image_size=64)
    """
    from airflow_claid.sandbox import KeySettings, Sandbox, SandboxSettings

    key = KeySettings(f"sandbox-{uuid4().hex}")  # a new one: clients remember what a key's quota has left
    with Sandbox(SandboxSettings(**{"keys": (key,), **_settings(request.node)})) as sandbox:
        yield sandbox


def _settings(test: pytest.Item) -> dict[str, Any]:
    """Return the settings that the markers of module, class and test ask for; the nearest to the test wins."""
    from airflow_claid.sandbox.settings import all_quotas

    settings = {**all_quotas(_PLENTY), "job_seconds": _JOB_SECONDS}
    for marker in reversed(list(test.iter_markers(MARKER))):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.{MARKER} takes settings by name, such as image_size=64")
        settings |= marker.kwargs
    return settings


@pytest.fixture
def claid_connect(claid_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes Airflow connections to the sandbox: ``claid_connect("claid_shop", storages={"shop": "aws_default"})``.

    The first argument is the connection's id, ``claid_default`` by default; all others go into its extra. It is an
    environment variable, so that it needs no database; it is gone after the test. Returns the id.
    """

    def connect(conn_id: str = "claid_default", **extra: Any) -> str:
        fields = {"conn_type": "claid", "password": claid_sandbox.api_key, "host": claid_sandbox.url, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        return conn_id

    return connect


@pytest.fixture
def claid_connection(claid_connect: Callable[..., str]) -> str:
    """The Airflow connection ``claid_default`` to the sandbox, for ``dag.test()`` and for operators; its id."""
    return claid_connect()


@pytest.fixture
def claid_ledger(claid_sandbox: Sandbox) -> ClaidLedger:
    """What the sandbox charged: ``claid_ledger.charged(2)``, ``claid_ledger.nothing_paid_twice()``."""
    from airflow_claid.testing import ClaidLedger

    return ClaidLedger(claid_sandbox)


@pytest.fixture
def claid_faults(claid_sandbox: Sandbox) -> ClaidFaults:
    """How Claid can fail: ``claid_faults.lost_answer()``, ``claid_faults.blocked("red")``."""
    from airflow_claid.testing import ClaidFaults

    return ClaidFaults(claid_sandbox)
