from __future__ import annotations

import threading

import pytest

from airflow_claid.client.quota.send_slots import Turns

AT_ONCE = 16


class Crowd:
    """Threads that each take a turn and keep it until they are told to send."""

    def __init__(self, turns: Turns, number: int) -> None:
        self.turns = turns
        self.got = threading.Semaphore(0)
        self.send = threading.Event()
        self.leave = threading.Event()
        self.threads = [threading.Thread(target=self._take, daemon=True) for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def _take(self) -> None:
        with self.turns.turn():
            self.got.release()
            self.send.wait(10)
            self.turns.sent()
            self.leave.wait(10)

    def got_turns(self, number: int) -> bool:
        return all(self.got.acquire(timeout=10) for _ in range(number))

    def end(self) -> None:
        self.send.set()
        self.leave.set()
        for thread in self.threads:
            thread.join(10)


def test_few_come_near_to_being_sent_and_the_next_when_one_is_on_its_way() -> None:
    crowd = Crowd(Turns(), AT_ONCE + 5)
    assert crowd.got_turns(AT_ONCE)
    assert not crowd.got.acquire(timeout=0.05)
    crowd.send.set()
    assert crowd.got_turns(5), "a turn ends when its request is sent, not when its answer comes"
    crowd.end()


def test_a_turn_is_over_once_however_often_it_ends() -> None:
    turns = Turns()
    for _ in range(3):
        with turns.turn():
            turns.sent()
            turns.sent()
    turns.sent()
    crowd = Crowd(turns, AT_ONCE + 1)
    assert crowd.got_turns(AT_ONCE)
    assert not crowd.got.acquire(timeout=0.05)
    crowd.end()


def test_a_turn_without_a_request_is_over_when_its_thread_leaves_even_by_an_error() -> None:
    turns = Turns()
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ValueError, match="not ready"), turns.turn():
            raise ValueError("not ready")
    crowd = Crowd(turns, AT_ONCE)
    assert crowd.got_turns(AT_ONCE)
    crowd.end()


def test_who_has_no_turn_ends_nobody_elses() -> None:
    turns = Turns()
    crowd = Crowd(turns, AT_ONCE + 1)
    assert crowd.got_turns(AT_ONCE)
    turns.sent()
    assert not crowd.got.acquire(timeout=0.05)
    crowd.end()
