"""Jobs on the sandbox's own clock: every status in its turn, and those that faults put them into."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_claid.sandbox import Sandbox
from airflow_claid.sandbox.faults import Fault
from tests.support.sandbox_client import Client
from tests.support.submissions import EDIT, SUBMISSIONS, Submission

SECONDS = 10_000.0
each_kind = pytest.mark.parametrize("submission", SUBMISSIONS, ids=lambda one: one.operation)


@pytest.fixture(autouse=True)
def slow_jobs(sandbox: Sandbox, address: str) -> None:
    """Jobs end only if the clock is told to go ahead; their input is there."""
    sandbox.change(job_seconds=SECONDS)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def becomes(client: Client, submission: Submission, job: dict[str, Any], status: str) -> dict[str, Any]:
    until(lambda: submission.read(client, job)["status"] == status)
    return submission.read(client, job)


@each_kind
def test_a_job_passes_through_its_states(client: Client, sandbox: Sandbox, submission: Submission) -> None:
    job = submission.send(client)
    assert job["status"] == submission.first == submission.read(client, job)["status"]
    if submission.first == "ACCEPTED":
        sandbox.advance(SECONDS * 0.2)
        becomes(client, submission, job, "WAITING")
        sandbox.advance(SECONDS * 0.2)
    else:
        sandbox.advance(SECONDS * 0.4)
    becomes(client, submission, job, "PROCESSING")
    sandbox.advance(SECONDS * 0.5)
    assert submission.read(client, job)["status"] == "PROCESSING"
    sandbox.advance(SECONDS * 0.1)
    done = becomes(client, submission, job, "DONE")
    assert done.get("result") or done["results"]
    assert done["errors"] == []


def test_all_of_a_jobs_time_may_pass_at_once(client: Client, sandbox: Sandbox) -> None:
    job = EDIT.send(client)
    sandbox.advance(SECONDS)
    becomes(client, EDIT, job, "DONE")


@each_kind
@pytest.mark.parametrize("status", ["PAUSED", "QUEUED_ELSEWHERE"])
def test_a_status_by_fault_stays(client: Client, sandbox: Sandbox, submission: Submission, status: str) -> None:
    sandbox.fault("job_status", status=status)
    halted = submission.send(client)
    assert halted["status"] == submission.first
    assert submission.read(client, halted)["status"] == status
    other = submission.send(client)
    sandbox.advance(SECONDS)
    becomes(client, submission, other, "DONE")
    assert submission.read(client, halted)["status"] == status
    assert [entry.fault for entry in sandbox.ledger(submission.operation)] == [["job_status"], []]


@pytest.mark.parametrize("fault", [{"kind": "job_status", "status": "PAUSED"}, {"kind": "job_stuck"}])
def test_a_job_goes_on_when_the_seconds_of_its_fault_are_over(
    client: Client, sandbox: Sandbox, fault: dict[str, str]
) -> None:
    sandbox.fault(**fault, seconds=SECONDS)
    job = EDIT.send(client)
    halted = fault.get("status", "PROCESSING")
    sandbox.advance(SECONDS * 0.9)
    assert EDIT.read(client, job)["status"] == halted
    sandbox.advance(SECONDS * 0.1)
    becomes(client, EDIT, job, "PROCESSING")
    sandbox.advance(SECONDS)
    becomes(client, EDIT, job, "DONE")


@each_kind
@pytest.mark.parametrize("status", ["ERROR", "CANCELLED", "DONE"])
def test_a_final_status_by_fault_ends_the_job_without_a_result(
    client: Client, sandbox: Sandbox, submission: Submission, status: str
) -> None:
    sandbox.fault("job_status", status=status, seconds=1)
    ended = submission.send(client)
    other = submission.send(client)
    sandbox.advance(SECONDS)
    becomes(client, submission, other, "DONE")
    found = submission.read(client, ended)
    assert found["status"] == status
    assert not found.get("result")
    assert not found.get("results")
    assert bool(found["errors"]) is (status == "ERROR")


def test_a_job_takes_the_statuses_of_its_faults_one_after_the_other(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("job_status", status="PAUSED", seconds=SECONDS)
    sandbox.fault("job_status", status="CANCELLED")
    job = EDIT.send(client)
    assert EDIT.read(client, job)["status"] == "PAUSED"
    sandbox.advance(SECONDS)
    becomes(client, EDIT, job, "CANCELLED")


def test_a_status_is_ordered_over_http(client: Client, sandbox: Sandbox) -> None:
    faults = f"{sandbox.url}/sandbox/faults"
    body = {"kind": "job_status", "status": "PAUSED", "operation": "submit_edit"}
    assert requests.post(faults, json=body, timeout=10).status_code == 200
    assert EDIT.read(client, EDIT.send(client))["status"] == "PAUSED"
    for wrong in ({"kind": "job_status"}, {"kind": "500", "status": "PAUSED"}):
        assert requests.post(faults, json=wrong, timeout=10).status_code == 422


@pytest.mark.parametrize("given", [{"kind": "job_status"}, {"kind": "job_stuck", "status": "PAUSED"}])
def test_a_status_belongs_to_its_own_kind_of_fault(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has a status"):
        Fault(**given)


def test_jobs_of_one_kind_are_not_found_as_another(client: Client, address: str) -> None:
    job = client.call("POST", "/image/ai-edit", json={"input": address, "options": {"prompt": "snow"}}).json()["data"]
    assert client.call("GET", f"/image/edit/async/{job['id']}").status_code == 404
