from __future__ import annotations

import asyncio
import time

import pytest

from airflow_claid.triggers.base import ClaidTrigger, poll_in_thread
from airflow_claid.triggers.job import ClaidJobTrigger


def trigger(deadline: float | None) -> ClaidTrigger:
    return ClaidJobTrigger(kind="edit", job_id=7, deadline=deadline)


def test_the_time_that_is_left_ends_at_the_deadline_or_never() -> None:
    assert 8 < trigger(time.time() + 10).seconds_left <= 10
    assert trigger(time.time() - 10).seconds_left == 0
    assert trigger(None).seconds_left == float("inf")


def test_a_poll_that_fails_gives_its_error_and_a_cancelled_one_is_cancelled() -> None:
    error = OSError("slow")

    def fail() -> None:
        raise error

    assert asyncio.run(poll_in_thread("test", lambda: 7)) == 7
    assert asyncio.run(poll_in_thread("test", fail)) is error

    async def cancelled() -> None:
        polling = asyncio.create_task(poll_in_thread("test", lambda: time.sleep(0.2)))
        await asyncio.sleep(0.05)
        polling.cancel()
        await polling

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
