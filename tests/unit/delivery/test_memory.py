from __future__ import annotations

import threading

import pytest

from airflow_claid.delivery.memory import FILES, OPENED, MemoryBudget


def start_and_let_wait(thread: threading.Thread, budget: MemoryBudget, number: int) -> None:
    thread.start()
    while thread.is_alive() and budget.waiting < number:
        thread.join(0.001)


def test_what_is_free_is_had_at_once_and_given_back() -> None:
    budget = MemoryBudget(10)
    with budget.reservation(6) as one, budget.reservation() as two:
        assert two.grows_to(4)
        assert not two.grows_to(5)
        assert not one.grows_to(7)
        assert (one.size, two.size) == (6, 4)
    with budget.reservation() as all_of_it:
        assert all_of_it.grows_to(10)


def test_more_than_the_total_counts_as_the_total() -> None:
    with MemoryBudget(10).reservation(1000) as one:
        assert one.size == 10
        assert one.grows_to(1000)


def test_who_came_first_is_served_first() -> None:
    budget, served = MemoryBudget(10), list[int]()

    def take(size: int) -> None:
        with budget.reservation(size):
            served.append(size)

    threads = [threading.Thread(target=take, args=(size,)) for size in (10, 1)]
    with budget.reservation(5) as first:
        for number, thread in enumerate(threads, start=1):
            start_and_let_wait(thread, budget, number)
        assert not first.grows_to(6)
        assert served == []
    for thread in threads:
        thread.join()
    assert served == [10, 1]


def test_who_waits_for_more_holds_nothing_meanwhile() -> None:
    budget = MemoryBudget(10)
    sizes: list[int] = []

    def grow() -> None:
        with budget.reservation(5) as mine:
            mine.wait_for(10)
            sizes.append(mine.size)

    threads = [threading.Thread(target=grow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [10] * 8


def test_an_interrupted_wait_stands_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MemoryBudget(10)

    def interrupted(_: object) -> bool:
        raise KeyboardInterrupt

    with budget.reservation(10):
        monkeypatch.setattr(budget._changed, "wait_for", interrupted)
        with pytest.raises(KeyboardInterrupt), budget.reservation(5):
            pass
        assert budget.waiting == 0


def test_the_budgets_hold_the_largest_picture() -> None:
    assert FILES.total >= 2 * 200_000_000
    assert OPENED.total >= 4 * 178_000_000
