from __future__ import annotations

import math

from airflow_claid.batch.retries import Retries


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_item_comes_back_when_its_pause_is_over_and_no_sooner() -> None:
    clock = Clock()
    retries: Retries[str] = Retries(5.0, clock)
    retries.add("lamp", 0)
    assert (retries.due(), len(retries), retries.seconds_until_due()) == (None, 1, 5.0)
    clock.now = 4.9
    assert retries.due() is None
    clock.now = 5.0
    assert (retries.due(), retries.due(), len(retries)) == ("lamp", None, 0)
    assert retries.seconds_until_due() == math.inf


def test_the_pause_doubles_with_each_time_up_to_a_minute() -> None:
    pauses = []
    for tried in range(6):
        retries: Retries[str] = Retries(5.0, Clock())
        retries.add("lamp", tried)
        pauses.append(retries.seconds_until_due())
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_who_is_due_first_comes_first_and_of_two_at_once_who_came_first() -> None:
    clock = Clock()
    retries: Retries[str] = Retries(5.0, clock)
    for name, tried in (("late", 2), ("first", 0), ("second", 0)):
        retries.add(name, tried)
    clock.now = 100.0
    assert [retries.due() for _ in range(4)] == ["first", "second", "late", None]
