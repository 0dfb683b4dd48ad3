"""One attempt in two processes: a heartbeat was lost, or a paused machine went on. Each request is paid for once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_claid.fulfilment.liveness import has_ended, this_process
from airflow_claid.sandbox import Latency, Sandbox, SandboxSettings
from tests.conftest import s3_connection
from tests.support.one_attempt import Attempt

PROMPTS = 40


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Claid without limits that draws small pictures."""
    with Sandbox(SandboxSettings(quota="100000/1", image_size=16)) as small:
        yield small


@pytest.fixture(params=["local", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return f"file://{tmp_path}/out/"
    return f"{request.getfixturevalue('s3')}/out/"


@pytest.fixture
def environment(request: pytest.FixtureRequest, sandbox: Sandbox, output: str) -> dict[str, str]:
    claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
    environment = {**os.environ, "AIRFLOW_CONN_CLAID_DEFAULT": json.dumps(claid)}
    if output.startswith("s3"):
        s3 = s3_connection(request.getfixturevalue("s3_endpoint"))
        environment["AIRFLOW_CONN_MOTO"] = json.dumps({**s3, "extra": s3["extra"]})
    return environment


def attempt(output: str, environment: dict[str, str], try_number: int) -> Attempt:
    prompts = [f"Lamp number {number}" for number in range(PROMPTS)]
    parameters = {"prompts": prompts, "output": output, "concurrency": 8, "lost_response_grace": 60}
    return Attempt(parameters, environment, try_number)


def paid(sandbox: Sandbox) -> Counter[str]:
    return Counter(entry.prompt for entry in sandbox.ledger() if entry.credits)


def test_two_processes_that_start_together_pay_once_for_each_prompt(
    sandbox: Sandbox, output: str, environment: dict[str, str]
) -> None:
    sandbox.change(latency=Latency(0.5))
    attempts = [attempt(output, environment, 1) for _ in range(2)]
    assert [attempt.summary()["done"] for attempt in attempts] == [PROMPTS, PROMPTS]
    assert len(paid(sandbox)) == sum(paid(sandbox).values()) == PROMPTS


def test_a_second_try_while_the_first_still_sends_pays_for_nothing_twice(
    sandbox: Sandbox, output: str, environment: dict[str, str]
) -> None:
    sandbox.change(latency=Latency(0.7))
    first = attempt(output, environment, 1)
    while len(paid(sandbox)) < PROMPTS // 2:
        threading.Event().wait(0.05)
    second = attempt(output, environment, 2)
    assert [attempt.summary()["done"] for attempt in (first, second)] == [PROMPTS, PROMPTS]
    assert len(paid(sandbox)) == sum(paid(sandbox).values()) == PROMPTS


@pytest.mark.parametrize("output", ["local"], indirect=True)
def test_a_killed_process_is_not_waited_for(sandbox: Sandbox, output: str, environment: dict[str, str]) -> None:
    sandbox.fault("hold", operation="generate_image", count=1)
    first = attempt(output, environment, 1)
    while not sandbox.held:
        threading.Event().wait(0.05)
    first.kill()
    sandbox.release()
    second = attempt(output, environment, 2)
    assert second.summary()["done"] == PROMPTS
    assert sum(paid(sandbox).values()) == PROMPTS + 1


def test_a_process_has_ended_when_it_is_gone_or_another_has_its_number() -> None:
    own = this_process()
    machine, pid, start = own.rsplit("|", 2)
    assert not has_ended(own)
    assert not has_ended(f"another-machine|{pid}|{start}")
    assert not has_ended("")
    assert has_ended(f"{machine}|{pid}|{int(start) - 1}")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    named = f"{machine}|{child.pid}|{stat[19]}"
    assert not has_ended(named)
    child.send_signal(signal.SIGSTOP)
    assert not has_ended(named), "a paused process may go on"
    child.kill()
    child.wait()
    assert has_ended(named)
