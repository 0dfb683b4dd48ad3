from __future__ import annotations

import json
import logging
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_claid.batch import progress
from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.progress import KEY, Progress
from airflow_claid.fulfilment.events import NoEvents


class Memory:
    """Airflow's memory of a task, which may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.values: dict[str, Any] = {}
        self.fails = fails

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def set(self, key: str, value: Any) -> None:
        if self.fails:
            raise ConnectionError("no API")
        self.values[key] = json.loads(json.dumps(value))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as a list of one number."""
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_it_logs_and_keeps_how_far_it_has_come_how_fast_and_how_long_it_takes(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    memory = Memory()
    told = Progress(1000, lambda: 0.987, memory, NoEvents())
    clock[0] += 30
    told(BatchCounts(Counter(done=160, failed=5, blocked=5), reused=20, images=160, credits=150, waiting=3, jobs=590))
    assert memory.values[KEY] == {
        "items": 170,
        "of": 1000,
        "done": 160,
        "blocked": 5,
        "failed": 5,
        "reused": 20,
        "waiting": 3,
        "jobs": 590,
        "credits": 150,
        "credits_in_doubt": 0.0,
        "per_second": 5.0,
        "quota_used": 0.99,
        "seconds_left": 166,
    }
    (line,) = [record.getMessage() for record in caplog.records if record.name == progress.__name__]
    assert line == (
        "170 of 1,000 items: 160 done, 5 blocked, 5 failed; 20 reused, 590 jobs running, 3 to be retried; 5.0 a "
        "second (99% of the quota), 150 credits spent, about 3 min left"
    )


def test_what_was_there_already_does_not_count_as_speed(clock: list[float]) -> None:
    memory = Memory()
    told = Progress(1000, lambda: None, memory, NoEvents())
    clock[0] += 10
    told(BatchCounts(Counter(done=500), reused=500))
    assert memory.values[KEY]["per_second"] == 0
    assert memory.values[KEY]["seconds_left"] is None
    assert memory.values[KEY]["quota_used"] is None
    clock[0] += 10
    told(BatchCounts(Counter(done=600), reused=500))
    assert memory.values[KEY]["per_second"] == 10
    assert memory.values[KEY]["seconds_left"] == 40


def test_a_first_report_at_once_divides_by_nothing(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Progress(10, lambda: None, None, NoEvents())(BatchCounts())
    assert "0 of 10 items: none ended yet" in caplog.text


def test_a_memory_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    Progress(10, lambda: None, Memory(fails=True), NoEvents())(BatchCounts())
    assert "could not be stored in task_state_store (ConnectionError)" in caplog.text


@pytest.mark.parametrize(
    ("left", "said"), [(5, "5 s"), (89, "89 s"), (600, "10 min"), (5000, "83 min"), (50_000, "13.9 h")]
)
def test_the_time_that_is_left_is_told_in_the_unit_that_fits(
    left: int, said: str, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told = Progress(left + 1, lambda: None, None, NoEvents())
    clock[0] += 1
    told(BatchCounts(Counter(done=1)))
    assert f"about {said} left" in caplog.text
