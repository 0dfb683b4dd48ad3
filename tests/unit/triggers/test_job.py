from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from itertools import count
from typing import Any

import pytest

from airflow_claid.client import ClaidClient, ClaidRequestError, Job, JobOutcome
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.sandbox import Sandbox
from airflow_claid.triggers import job as module
from airflow_claid.triggers.job import ClaidJobTrigger
from tests.conftest import Connect
from tests.support.deferring import fired, made_anew

LONG = 10_000.0


@pytest.fixture
def account(sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Jobs that take for ever, a large quota that is known, and a connection that tries nothing again by itself."""
    monkeypatch.setattr(module, "_clients", {})
    monkeypatch.setattr("airflow_claid.client.account._quotas", {})
    extra = {"max_wait": 0}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    sandbox.change(job_seconds=LONG, quota="60000/60,1000/1")
    with pytest.raises(ClaidRequestError):
        ClaidHook().client.get_edit(0)
    return sandbox


@pytest.fixture
def link(account: Sandbox, claid: ClaidClient) -> str:
    return claid.generate_image("A blue vase").output[0].tmp_url or ""


@pytest.fixture
def submitted(link: str, claid: ClaidClient) -> Job:
    return submit(claid, link)


def submit(claid: ClaidClient, link: str) -> Job:
    return claid.submit_edit(link, {"resizing": {"width": 9}})


def trigger(*jobs: Job, seconds: float = 60.0, **more: Any) -> ClaidJobTrigger:
    usual = {
        "kind": "edit",
        "job_id": [job.id for job in jobs],
        "deadline": time.time() + seconds,
        "poll_interval": 0.1,
    }
    return ClaidJobTrigger(**{**usual, **more})


async def until(condition: Any) -> None:
    async def come_true() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(come_true(), 20)


def end(sandbox: Sandbox, claid: ClaidClient, job: Job) -> None:
    """Let a job's time pass, and see it end."""
    sandbox.advance(LONG)
    deadline = time.monotonic() + 20
    while claid.get_edit(job.id).outcome is JobOutcome.PENDING:
        assert time.monotonic() < deadline


def polls(sandbox: Sandbox) -> int:
    return len(sandbox.ledger("get_edit"))


def test_it_fires_once_when_all_jobs_have_ended_and_pays_nothing(
    account: Sandbox, claid: ClaidClient, link: str
) -> None:
    account.change(job_seconds=0.05)
    first = submit(claid, link)
    account.fault("job_status", status="PAUSED", seconds=LONG)
    second = submit(claid, link)
    charged = account.charged()

    async def scene() -> dict[str, Any]:
        waiting = asyncio.create_task(fired(trigger(first, second)))
        await until(lambda: polls(account) >= 6)
        assert not waiting.done()
        account.advance(LONG)
        return await waiting

    event = asyncio.run(scene())
    assert event["status"] == "ended"
    assert event["jobs"] == {str(first.id): "DONE", str(second.id): "DONE"}
    assert str(first.id) in event["message"]
    assert account.charged() == charged
    assert {entry.operation for entry in account.ledger()} == {"generate_image", "submit_edit", "get_edit"}


@pytest.mark.parametrize("status", ["DONE", "ERROR", "CANCELLED"])
def test_a_final_status_ends_the_wait(account: Sandbox, claid: ClaidClient, link: str, status: str) -> None:
    account.fault("job_status", status=status)
    event = asyncio.run(fired(trigger(submit(claid, link))))
    assert event["status"] == "ended"
    assert f"ended as {status} without a result" in event["message"]


@pytest.mark.parametrize("status", ["PAUSED", "QUEUED_ELSEWHERE"])
def test_every_other_status_is_waited_out_until_the_deadline(
    account: Sandbox, claid: ClaidClient, link: str, status: str
) -> None:
    account.fault("job_status", status=status)
    event = asyncio.run(fired(trigger(submit(claid, link), seconds=0.5)))
    assert event["status"] == "timed out"
    assert f"is {status}" in event["message"]


def test_a_restart_grants_no_new_time(account: Sandbox, submitted: Job) -> None:
    async def scene() -> dict[str, Any]:
        first = trigger(submitted, seconds=1.0)
        waiting = asyncio.create_task(fired(first))
        await until(lambda: polls(account) >= 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        second = made_anew(*first.serialize())
        assert second.deadline == first.deadline
        assert second.serialize() == first.serialize()
        return await fired(second)

    started = time.time()
    assert asyncio.run(scene())["status"] == "timed out"
    assert 1.0 <= time.time() - started < 1.9


def test_a_job_whose_time_is_over_ends_the_wait_for_no_other(account: Sandbox, claid: ClaidClient, link: str) -> None:
    first, second, third = (submit(claid, link) for _ in range(3))
    now = time.time()
    waiting = trigger(first, second, third, deadlines={str(first.id): now - 1, str(second.id): now - 0.5})

    async def scene() -> dict[str, Any]:
        event = asyncio.create_task(fired(made_anew(*waiting.serialize())))
        await until(lambda: polls(account) >= 6)
        assert not event.done()
        account.advance(LONG)
        return await event

    event = asyncio.run(scene())
    assert event["status"] == "timed out"
    assert [status == "DONE" for status in event["jobs"].values()] == [False, False, True]
    assert list(event["jobs"]) == [str(job.id) for job in (first, second, third)]
    assert str(first.id) in event["message"]
    assert str(third.id) not in event["message"]


def test_one_that_was_stored_by_an_earlier_version_goes_on(account: Sandbox, submitted: Job) -> None:
    path, arguments = trigger(submitted, seconds=0.3).serialize()
    del arguments["deadlines"]
    assert asyncio.run(fired(made_anew(path, arguments)))["status"] == "timed out"


def test_it_says_now_and_then_how_far_it_is(
    account: Sandbox, claid: ClaidClient, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    account.change(job_seconds=0.05)
    jobs = [submit(claid, link), submit(claid, link)]
    account.fault("job_status", status="PAUSED", seconds=LONG)
    waiting, ticks = trigger(*jobs, submit(claid, link), seconds=1.0), count(0, 30)
    waiting.clock = lambda: float(next(ticks))  # type: ignore[method-assign, assignment]
    asyncio.run(fired(waiting))
    assert "2 of 3 jobs have ended, or had their time" in capsys.readouterr().out


def test_a_job_that_ended_while_no_triggerer_ran_is_seen_though_the_time_is_over(
    account: Sandbox, claid: ClaidClient, submitted: Job
) -> None:
    end(account, claid, submitted)
    assert asyncio.run(fired(trigger(submitted, seconds=-100)))["status"] == "ended"


def test_two_of_it_at_once_harm_nothing(account: Sandbox, submitted: Job) -> None:
    charged = account.charged()

    async def scene() -> list[dict[str, Any]]:
        first = trigger(submitted)
        both = asyncio.gather(fired(first), fired(made_anew(*first.serialize())))
        await until(lambda: polls(account) >= 4)
        account.advance(LONG)
        return list(await both)

    first, second = asyncio.run(scene())
    assert first == second
    assert account.charged() == charged


@pytest.mark.parametrize("fault", [{"kind": "500"}, {"kind": "cut"}, {"kind": "truncated"}, {"kind": "502"}])
def test_failing_polls_pass_but_not_five_in_a_row(account: Sandbox, submitted: Job, fault: dict[str, Any]) -> None:
    account.fault(**fault, operation="get_edit", count=4)

    async def scene() -> dict[str, Any]:
        waiting = asyncio.create_task(fired(trigger(submitted)))
        await until(lambda: polls(account) >= 6)
        account.fault(**fault, operation="get_edit", count=4)
        await until(lambda: polls(account) >= 12)
        account.advance(LONG)
        return await waiting

    assert asyncio.run(scene())["status"] == "ended"
    account.fault(**fault, operation="get_edit", count=5)
    event = asyncio.run(fired(trigger(submitted)))
    assert event["status"] == "unreachable"
    assert "failed polls in a row: 5" in event["message"]


def test_a_used_up_quota_is_waited_out_however_often(account: Sandbox, submitted: Job) -> None:
    account.change(quota="")
    account.fault("429", operation="get_edit", count=12)

    async def scene() -> dict[str, Any]:
        waiting = asyncio.create_task(fired(trigger(submitted, poll_interval=0.01)))
        await until(lambda: polls(account) >= 14)
        account.advance(LONG)
        return await waiting

    assert asyncio.run(scene())["status"] == "ended"


def test_a_job_that_claid_does_not_know_is_refused_when_the_others_have_ended(account: Sandbox, submitted: Job) -> None:
    async def scene() -> dict[str, Any]:
        waiting = asyncio.create_task(fired(trigger(submitted, job_id=[1, submitted.id])))
        await until(lambda: polls(account) >= 6)
        assert not waiting.done()
        account.advance(LONG)
        return await waiting

    event = asyncio.run(scene())
    assert event["status"] == "refused"
    assert "Claid does not know the job" in event["message"]
    assert event["jobs"] == {"1": None, str(submitted.id): "DONE"}
    assert [entry.status for entry in account.ledger("get_edit")[1:]].count(404) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"job_id": "None"}, "job_id='None' must be the id of a job"),
        ({"job_id": []}, "job_id="),
        ({"job_id": "{{ ti.xcom_pull('x') }}"}, "job_id="),
        ({"kind": "edits"}, "kind='edits' must be one of edit, batch_edit"),
        ({"kind": "video"}, "Claid does not know the job"),
        ({"claid_conn_id": "nowhere"}, "nowhere"),
        ({"claid_conn_id": "claid_wrong"}, "401"),
    ],
)
def test_what_no_waiting_cures_ends_it(
    account: Sandbox, submitted: Job, connect: Connect, wrong: dict[str, Any], said: str
) -> None:
    connect("claid_wrong", conn_type="claid", password="another-key", host=account.url)
    event = asyncio.run(fired(trigger(submitted, **wrong)))
    assert event["status"] == "refused"
    assert said in event["message"]


def test_job_ids_may_be_what_a_template_rendered(account: Sandbox, submitted: Job) -> None:
    account.advance(LONG)
    event = asyncio.run(fired(trigger(job_id=f"['{submitted.id}']", deadline=None)))
    assert event["jobs"] == {str(submitted.id): "DONE"}


def test_answers_that_do_not_come_never_hold_up_the_event_loop(account: Sandbox, submitted: Job) -> None:
    account.fault("hold", operation="get_edit", count=8, seconds=60.0)

    async def scene() -> tuple[list[dict[str, Any]], float]:
        many = asyncio.gather(*(fired(trigger(submitted, poll_interval=0.05)) for _ in range(40)))
        await until(lambda: account.held == 8)
        longest = 0.0
        for _ in range(100):
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)
        assert account.held == 8
        account.advance(LONG)
        account.release()
        return list(await many), longest

    events, longest = asyncio.run(scene())
    assert {event["status"] for event in events} == {"ended"}
    assert longest < 0.25
    assert sum(thread.name.startswith("claid-job-edit-claid_default") for thread in threading.enumerate()) <= 8


def test_an_account_that_does_not_answer_holds_up_no_other(account: Sandbox, submitted: Job, connect: Connect) -> None:
    connect("claid_other", conn_type="claid", password=account.api_key, host=account.url)
    account.fault("hold", operation="get_edit", count=8, seconds=60.0)

    async def scene() -> str:
        stuck = [asyncio.create_task(fired(trigger(submitted))) for _ in range(12)]
        await until(lambda: account.held == 8)
        account.advance(LONG)
        event = await fired(trigger(submitted, claid_conn_id="claid_other"))
        assert account.held == 8
        account.release()
        await asyncio.gather(*stuck)
        return str(event["status"])

    assert asyncio.run(scene()) == "ended"


def test_one_client_and_its_connections_serve_all_triggers(account: Sandbox, submitted: Job) -> None:
    account.advance(LONG)

    async def scene() -> None:
        await asyncio.gather(*(fired(trigger(submitted)) for _ in range(50)))

    asyncio.run(scene())
    assert list(module._clients) == ["claid_default"]


def test_the_key_is_in_no_argument_event_or_log_line(
    account: Sandbox, submitted: Job, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "k3y-that-must-not-be-seen"
    connect("claid_default", conn_type="claid", password=key, host=account.url)
    waiting = trigger(submitted, credits=1.0)
    event = asyncio.run(fired(waiting))
    asyncio.run(waiting.on_kill())
    assert event["status"] == "refused"
    assert key not in json.dumps([waiting.serialize(), event]) + repr(waiting) + capsys.readouterr().out


def test_a_status_is_logged_when_it_changes_not_at_each_poll(
    account: Sandbox, submitted: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene() -> None:
        waiting = asyncio.create_task(fired(trigger(submitted)))
        await until(lambda: polls(account) >= 8)
        account.advance(LONG)
        await waiting

    asyncio.run(scene())
    said = re.findall(r"Job \d+ \(edit\) is [A-Z]+", capsys.readouterr().out)
    assert 2 <= len(said) <= 5
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"credits": 2.0}, "job 41, 42) goes on and costs 2 credits. The next try of this task waits for it again"),
        ({}, "job 41, 42) goes on. The next try"),
        ({"job_id": list(range(1000))}, "job 0, 1, 2, 3, 4, and 995 more) goes on"),
        ({"job_id": "{{ x }}"}, "job {{ x }}) goes on"),
        ({"job_id": None}, "goes on"),
    ],
)
def test_whoever_kills_the_task_is_told_what_goes_on(
    arguments: dict[str, Any], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(trigger(**{"job_id": [41, 42], **arguments}).on_kill())
    assert expected in capsys.readouterr().out
