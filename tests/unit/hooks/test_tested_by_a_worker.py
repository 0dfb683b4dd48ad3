"""The test of a connection as a worker of Airflow 3.3 runs it: from a URI, reported to the API server."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from airflow_claid.sandbox import Sandbox
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer, as_json

supervisor = pytest.importorskip("airflow.sdk.execution_time.connection_test_supervisor", reason="new in Airflow 3.3")

TEST_ID = UUID("01a21a50-b606-75ea-a14d-fd2830ef5851")
KEY = "a/key+with:odd@letters%41"


def report_of(api: ScriptedServer, **fields: Any) -> dict[str, Any]:
    """Have a worker test a connection; return what it reports."""
    connection = {"conn_id": "claid_default", "conn_type": "claid", "password": KEY, **fields}
    api.replies(as_json(connection), Reply(204))
    supervisor.supervise_connection_test(
        connection_test_id=TEST_ID, connection_id="claid_default", timeout=30, token="a-token", server=api.url
    )
    _, report = api.received
    assert (report.method, report.path) == ("PATCH", f"/connection-tests/{TEST_ID}")
    told: dict[str, Any] = report.json()
    return told


@pytest.mark.parametrize("extra", [None, {}, {"storages": {"shop": "aws_default"}, "max_wait": 5}])
def test_a_worker_tests_a_connection_by_its_uri(
    sandbox: Sandbox, scripted: ScriptedServer, extra: dict[str, Any] | None
) -> None:
    sandbox.add_key(KEY)
    told = report_of(scripted, host=sandbox.url, extra=json.dumps(extra) if extra is not None else None)
    assert told == {"state": "success", "result_message": "OK: the API key works; connected storages: none"}
    assert sandbox.charged() == 0


def test_a_worker_tells_what_is_wrong_and_never_the_key(sandbox: Sandbox, scripted: ScriptedServer) -> None:
    told = report_of(scripted, host=sandbox.url)
    assert told == {"state": "failed", "result_message": "Claid does not know this API key"}


def test_a_worker_tells_that_claid_cannot_be_reached(scripted: ScriptedServer) -> None:
    host = f"http://127.0.0.1:{free_port()}"
    told = report_of(scripted, host=host, extra=json.dumps({"max_wait": 0}))
    assert told["state"] == "failed"
    assert f"could not reach {host}/v1" in told["result_message"]
    assert KEY not in told["result_message"]
