from __future__ import annotations

import pytest

from airflow_claid.fulfilment.progress import Progress, amount
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


@pytest.mark.parametrize(("spent", "said"), [(0, "0"), (1002, "1,002"), (1002.5, "1,002.5"), (120, "120")])
def test_credits_are_written_as_people_read_them(spent: float, said: str) -> None:
    assert amount(spent) == said
