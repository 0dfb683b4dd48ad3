"""The moments of the crash table: each brings a task to one moment from outside, and kills it there."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from airflow_claid.sandbox import Sandbox
from tests.crash.holding_proxy import Hold, HoldingProxy
from tests.crash.places import CrashPlace


@dataclass(frozen=True)
class Stage:
    """What a moment needs: the sandbox, the proxies before it, the buckets and Airflow's API; and the scenario."""

    sandbox: Sandbox
    claid: HoldingProxy
    buckets: dict[str, HoldingProxy]
    airflow: HoldingProxy
    place: CrashPlace
    scenario: str


Bring = Callable[[Stage], Callable[[], None]]
"""Sets the trap; what it gives waits until the task is in it, and kills it."""


def before_sending(stage: Stage) -> Callable[[], None]:
    """Hold the request before Claid has any of it."""
    hold = stage.claid.hold(_generates(stage), "request")

    def kill_there() -> None:
        kill(hold.wait())
        hold.drop()

    return kill_there


def charged_not_answered(stage: Stage) -> Callable[[], None]:
    """Let Claid charge, and hold back its answer."""
    watched = stage.claid.hold(_generates(stage), "answer")
    stage.sandbox.fault("hold", operation="generate_image", prompt=stage.scenario)

    def kill_there() -> None:
        pid = _asking(stage, watched)
        kill(pid)
        watched.drop()
        stage.sandbox.release()

    return kill_there


def answer_on_its_way(stage: Stage) -> Callable[[], None]:
    """Pass on half of the answer."""
    hold = stage.claid.hold(_generates(stage), "half of the answer")

    def kill_there() -> None:
        kill(hold.wait())
        hold.drop()

    return kill_there


def receipt_not_written(stage: Stage) -> Callable[[], None]:
    """Hold the write of the receipt; where that is no request, stop the task while its answer arrives."""
    if stage.place.bucket_proxy:
        bucket = stage.buckets[stage.place.bucket_proxy]
        hold = bucket.hold(
            lambda method, path, body: method in ("PUT", "POST") and b'"state": "unread"' in body, "request"
        )

        def kill_at_the_bucket() -> None:
            kill(hold.wait())
            hold.drop()

        return kill_at_the_bucket
    hold = stage.claid.hold(_generates(stage), "answer")

    def kill_when_stopped() -> None:
        pid = hold.wait()
        os.kill(pid, signal.SIGSTOP)
        hold.pass_on()
        time.sleep(0.5)
        kill(pid)

    return kill_when_stopped


def half_downloaded(stage: Stage) -> Callable[[], None]:
    """Hold the second picture on its way to the task: from Claid, or from where Claid wrote it."""
    if stage.place.covered:
        landed = itertools.count()
        hold = stage.buckets["s3"].hold(
            lambda method, path, body: method == "GET" and ".png" in path and next(landed) == 1, "answer"
        )
    else:
        hold = stage.claid.hold(lambda method, path, body: method == "GET" and path.endswith("_2.png"), "answer")

    def kill_there() -> None:
        kill(hold.wait())
        hold.drop()

    return kill_there


def xcom_not_pushed(stage: Stage) -> Callable[[], None]:
    """Hold the XCom on its way to Airflow's API; the one who asks there is the task's supervisor."""
    hold = stage.airflow.hold(lambda method, path, body: method == "POST" and "/xcoms/" in path, "request")

    def kill_there() -> None:
        supervisor = psutil.Process(hold.wait())
        for task in supervisor.children():
            kill(task.pid)
        hold.drop()

    return kill_there


@dataclass(frozen=True)
class Moment:
    """One column of the table.

    :param title: as the table shows it.
    :param bring: sets the trap.
    :param loses_the_answer: whether the answer is lost though it was paid.
    """

    title: str
    bring: Bring
    loses_the_answer: bool = False


MOMENTS = [
    Moment("before sending", before_sending),
    Moment("charged, answer not sent", charged_not_answered, loses_the_answer=True),
    Moment("answer on its way", answer_on_its_way, loses_the_answer=True),
    Moment("answered, receipt not written", receipt_not_written, loses_the_answer=True),
    Moment("half of the downloads done", half_downloaded),
    Moment("all done, XCom not pushed", xcom_not_pushed),
]


def kill(pid: int) -> None:
    """Kill a process as nothing else can."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _generates(stage: Stage) -> Callable[[str, str, bytes], bool]:
    marker = stage.scenario.encode()
    return lambda method, path, body: method == "POST" and path.endswith("/image/generate") and marker in body


def _asking(stage: Stage, watched: Hold) -> int:
    """Wait until Claid holds its answer; give the process that waits for it."""
    deadline = time.monotonic() + 60
    while not stage.sandbox.held:
        if time.monotonic() > deadline:
            raise TimeoutError("Claid was not asked")
        time.sleep(0.05)
    return watched.pid or 0
