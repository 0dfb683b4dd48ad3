"""The operators whose requests become jobs: the same whether a worker waits, the triggerer, or nobody."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_claid.client import ClaidClient, ClaidServerError
from airflow_claid.operators import ImageEditOperator
from airflow_claid.sandbox import Sandbox
from airflow_claid.triggers import job as trigger_module
from tests.conftest import Connect
from tests.support.deferring import fired, made_anew, run_through
from tests.support.pictures import noise
from tests.support.receipt_files import last_state
from tests.unit.operators.conftest import StateStore, TaskInstance

PLACES = ("temporary", "file", "connected")
WAYS = (False, True)
_OF_THE_MOMENT = (
    (r"\d{4}-\d\d-\d\dT[0-9:.]+\+00:00", "TIME"),
    (r"/tmp/[0-9a-f-]{36}/[0-9a-f]+", "LINK"),
    (r"\b[0-9a-f]{32}\b", "REQUEST"),
    (r"\b41\d{5}\b", "0"),
)


@dataclass
class Account:
    """A sandbox, a folder that is a bucket too, and tasks that edit pictures which Claid can reach."""

    sandbox: Sandbox
    folder: Path
    links: list[str]
    memory: dict[str, Any] = field(default_factory=dict)
    ti: TaskInstance = field(default_factory=TaskInstance)

    def context(self, **facts: Any) -> Any:
        self.ti = TaskInstance(**facts)
        return {"ti": self.ti, "task_state_store": StateStore(self.memory)}

    def edit(self, place: str = "file", links: Sequence[str] = (), **more: Any) -> ImageEditOperator:
        output = {"temporary": None, "file": f"file://{self.folder}/out/", "connected": "storage://shop/"}[place]
        usual = {"task_id": "e", "operations": {"resizing": {"width": 9}}, "poll_interval": 0.1, "timeout": 20}
        return ImageEditOperator(**{**usual, "input": list(links or self.links[:1]), "output": output, **more})

    def run(self, build: Callable[[], ImageEditOperator], **facts: Any) -> Any:
        return run_through(build, self.context(**facts))

    def forget(self) -> None:
        """Take away the pictures, their receipts, and Airflow's memory of the task."""
        for name in ("out", "bucket"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        self.memory.clear()

    def receipts(self) -> list[Any]:
        files = sorted(self.folder.glob("*/_claid/*.json"))
        return [last_state(file) for file in files] + [self.memory[key] for key in sorted(self.memory)]

    def submitted(self) -> int:
        return len(self.sandbox.ledger("submit_edit"))


@pytest.fixture
def account(
    sandbox: Sandbox, claid: ClaidClient, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Account:
    monkeypatch.setattr(trigger_module, "_clients", {})
    monkeypatch.setattr("airflow_claid.client.account._quotas", {})
    sandbox.change(quota="60000/60,1000/1", job_seconds=0.3)
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path / "bucket")
    extra = {"storages": {"shop": f"file://{tmp_path}/bucket"}, "max_wait": 0}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    links = [image.tmp_url or "" for image in claid.generate_image("A blue vase", number_of_images=3).output]
    account = Account(sandbox, tmp_path, links)
    account.forget()
    return account


def timeless(value: Any) -> Any:
    """Take the moment out of what happened: times, ids, temporary links."""
    text = json.dumps(value, sort_keys=True, default=str)
    for pattern, word in _OF_THE_MOMENT:
        text = re.sub(pattern, word, text)
    return json.loads(text)


def outcome(account: Account, build: Callable[[], ImageEditOperator]) -> dict[str, Any]:
    """Run a task and tell all that came of it."""
    before = account.sandbox.charged()
    told: dict[str, Any] = {}
    try:
        told["returned"] = account.run(build)
    except AirflowException as error:
        told["raised"] = [type(error).__name__, str(error)]
    return timeless(
        {
            **told,
            "xcom": account.ti.pushed,
            "receipts": account.receipts(),
            "charged": account.sandbox.charged() - before,
        }
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("fault", [None, "ERROR", "CANCELLED", "DONE", "PAUSED"])
def test_what_comes_of_it_is_the_same_deferred_or_not(
    place: str, number: int, fault: str | None, account: Account
) -> None:
    links = account.links[:number]
    outcomes = []
    for deferrable in WAYS:
        account.forget()
        if fault:
            seconds = 0.4 if fault == "PAUSED" else None
            account.sandbox.fault("job_status", status=fault, seconds=seconds, prompt=links[-1])
        outcomes.append(outcome(account, lambda d=deferrable: account.edit(place, links, deferrable=d)))  # type: ignore[misc]
    worker, triggerer = outcomes
    assert worker == triggerer
    failing = fault not in (None, "PAUSED")
    assert ("raised" in worker) == failing
    assert len(worker["receipts"]) == worker["charged"] == worker["xcom"]["credits"] == number
    if not (failing and number == 1):
        assert len(worker["xcom"]["images"]) == number - failing


@pytest.mark.parametrize("deferrable", WAYS)
def test_when_its_time_is_over_the_try_fails_and_the_next_waits_for_the_same_jobs(
    deferrable: bool, account: Account
) -> None:
    account.sandbox.fault("job_stuck", seconds=600, prompt=account.links[1])
    links = account.links[:2]
    with pytest.raises(AirflowException, match=r"1 of 2 pictures failed.*the next try waits for it again") as failed:
        account.run(lambda: account.edit(links=links, deferrable=deferrable, timeout=1))
    assert not isinstance(failed.value, AirflowFailException)
    assert len(account.ti.pushed["images"]) == 1
    account.sandbox.advance(700)
    paths = account.run(lambda: account.edit(links=links, deferrable=deferrable), try_number=2)
    assert len(paths) == 2
    assert account.ti.pushed["credits"] == 0
    assert account.submitted() == 2


@pytest.mark.parametrize("place", PLACES)
def test_without_waiting_it_gives_the_ids_and_the_same_task_later_brings_the_pictures_and_pays_nothing(
    place: str, account: Account
) -> None:
    account.sandbox.change(job_seconds=10_000.0)
    links = account.links
    job_ids = account.run(lambda: account.edit(place, links, wait_for_completion="False"))
    assert [account.sandbox.service.jobs.get("submit_edit", job_id).ended for job_id in job_ids] == [False] * 3
    assert account.ti.pushed == {**account.ti.pushed, "images": [], "credits": 3}
    assert account.run(lambda: account.edit(place, links, wait_for_completion=False), try_number=2) == job_ids
    assert account.ti.pushed["credits"] == 0
    account.sandbox.advance(10_000.0)
    for deferrable in WAYS:
        paths = account.run(lambda d=deferrable: account.edit(place, links, deferrable=d), try_number=3)  # type: ignore[misc]
        assert len(paths) == 3
        assert account.ti.pushed["credits"] == 0
    assert account.submitted() == 3


@pytest.mark.parametrize("deferrable", WAYS)
@pytest.mark.parametrize("kind", ["500", "cut", "429"])
def test_failing_looks_pass(deferrable: bool, kind: str, account: Account) -> None:
    account.run(lambda: account.edit(wait_for_completion=False))
    account.sandbox.change(quota="")
    account.sandbox.fault(kind, operation="get_edit", count=4)
    assert len(account.run(lambda: account.edit(deferrable=deferrable))) == 1


@pytest.mark.parametrize("deferrable", WAYS)
def test_the_fifth_failing_look_in_a_row_ends_the_try_and_the_next_pays_nothing(
    deferrable: bool, account: Account
) -> None:
    fault = account.sandbox.fault("500", operation="get_edit", probability=1.0)
    with pytest.raises((AirflowException, ClaidServerError)) as failed:
        account.run(lambda: account.edit(deferrable=deferrable))
    assert not isinstance(failed.value, AirflowFailException)
    assert account.ti.pushed["credits"] == 1
    account.sandbox.service.faults.remove(fault)
    account.run(lambda: account.edit(deferrable=deferrable), try_number=2)
    assert account.ti.pushed["credits"] == 0
    assert account.submitted() == 1


@pytest.mark.parametrize("deferrable", WAYS)
def test_a_job_that_claid_forgot_fails_without_a_retry_and_the_others_are_kept(
    deferrable: bool, account: Account
) -> None:
    account.sandbox.change(job_seconds=3)

    def forgetting() -> ImageEditOperator:
        jobs = account.sandbox.service.jobs._jobs
        if len(jobs) == 2:
            del jobs[min(jobs)]
        return account.edit(links=account.links[:2], deferrable=deferrable)

    account.run(lambda: account.edit(links=account.links[:2], wait_for_completion=False))
    with pytest.raises(AirflowFailException, match=r"1 of 2 pictures failed.*Claid does not know the job"):
        account.run(forgetting)
    assert len(account.ti.pushed["images"]) == 1
    assert account.submitted() == 2


def test_with_a_connection_that_only_workers_have_the_worker_waits(account: Account) -> None:
    account.sandbox.change(job_seconds=1)
    with pytest.raises(TaskDeferred) as deferred:
        account.edit(deferrable=True).execute(account.context())
    event = {"status": "refused", "message": "there is no connection"}
    carried = json.loads(json.dumps(deferred.value.kwargs))
    paths = account.edit(deferrable=True).resume_execution(
        "execute_complete", {**carried, "event": event}, account.context()
    )
    assert len(paths) == 1


def test_pictures_that_are_sent_along_need_no_wait(account: Account) -> None:
    own = account.folder / "own.png"
    own.write_bytes(noise())
    assert len(account.run(lambda: account.edit(links=[f"file://{own}"], deferrable=True, name="n"))) == 1
    assert account.submitted() == 0


def test_the_deadline_is_absolute_and_airflows_own_timeout_comes_after_it(account: Account) -> None:
    account.sandbox.change(job_seconds=600)
    with pytest.raises(TaskDeferred) as deferred:
        account.edit(deferrable=True, timeout="60", poll_interval="7").execute(account.context())
    trigger, kwargs = deferred.value.trigger, deferred.value.kwargs or {}
    assert trigger.deadline == kwargs["carried"]["deadline"]
    assert trigger.deadlines == {str(trigger.job_id[0]): trigger.deadline}
    assert trigger.poll_interval == 7
    assert trigger.credits == 1
    assert deferred.value.timeout is not None
    assert 60 < deferred.value.timeout.total_seconds() < 200
    kept = json.dumps([trigger.serialize(), deferred.value.kwargs])
    assert account.sandbox.api_key not in kept


@pytest.mark.parametrize("event", [None, {}, {"status": "success"}, {"status": "wait"}])
def test_an_event_that_is_not_known_fails_and_tells_what_was_spent(event: Any, account: Account) -> None:
    account.sandbox.change(job_seconds=600)
    with pytest.raises(TaskDeferred) as deferred:
        account.edit(deferrable=True).execute(account.context())
    with pytest.raises(AirflowException, match="does not know"):
        account.edit(deferrable=True).execute_complete(
            account.context(), (deferred.value.kwargs or {})["carried"], event
        )
    assert account.ti.pushed["credits"] == 1


def test_whoever_kills_it_is_told_what_goes_on_and_what_it_costs(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.sandbox.fault("job_stuck", prompt=account.links[1])
    operator = account.edit(links=account.links[:2])

    def killed_at_the_second(*_: Any) -> float:
        if operator._task_orders is not None and len(operator._task_orders.waiting) == 1:
            raise KeyboardInterrupt
        return 0.05

    monkeypatch.setattr("airflow_claid.fulfilment.completion.pause", killed_at_the_second)
    operator.on_kill()
    assert "cannot cancel" not in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):
        operator.execute(account.context())
    operator.on_kill()
    said = capsys.readouterr().out
    assert "Claid cannot cancel a job" in said
    assert "goes on and costs 1 credits. The next try of this task waits for it again without paying" in said


@pytest.mark.parametrize("name", ["wait_for_completion", "poll_interval", "timeout"])
def test_wrong_waiting_parameters_are_refused(name: str, account: Account) -> None:
    with pytest.raises(AirflowFailException, match=f"{name}='soon'"):
        account.edit(**{name: "soon"})
    templated = account.edit(**{name: "{{ x }}"})
    setattr(templated, name, "soon")
    with pytest.raises(AirflowFailException, match=f"{name}='soon'"):
        templated.execute(account.context())
    assert account.submitted() == 0


def test_an_input_that_was_removed_while_the_task_waited_takes_nothing_from_what_is_paid(account: Account) -> None:
    own = account.folder / "bucket" / "own.png"
    own.write_bytes(noise())
    task = {"links": [f"file://{own}"], "deferrable": True}
    with pytest.raises(TaskDeferred) as deferred:
        account.edit(**task).execute(account.context())
    event = asyncio.run(fired(made_anew(*deferred.value.trigger.serialize())))
    own.unlink()
    carried = json.loads(json.dumps(deferred.value.kwargs))
    paths = account.edit(**task).resume_execution("execute_complete", {**carried, "event": event}, account.context())
    assert paths == [f"file://{account.folder}/out/own.jpg"]
    assert account.ti.pushed["credits"] == account.submitted() == 1


@pytest.mark.parametrize("name", ["timeout", "poll_interval", "lost_response_grace"])
@pytest.mark.parametrize("value", ["inf", float("inf"), 1e12])
def test_a_time_without_an_end_is_refused_before_anything_is_paid(name: str, value: Any, account: Account) -> None:
    with pytest.raises(AirflowFailException, match=f"{name}=.*must be a number of seconds"):
        account.edit(**{name: value}).execute(account.context())
    assert account.submitted() == 0
