from __future__ import annotations

from airflow_claid.fulfilment.progress import Progress
from tests.support.clock import Clock


def test_a_line_is_due_every_30_seconds_at_most() -> None:
    clock = Clock()
    progress = Progress(clock)
    due = []
    for _ in range(12):
        clock.sleep(10)
        due.append(progress.is_due())
    assert due == [False, False, True] * 4
    assert not progress.is_due()
