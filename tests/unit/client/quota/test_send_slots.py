from __future__ import annotations

import threading

import pytest

from airflow_claid.client.quota.send_slots import SendSlots

AT_ONCE = 16


class ConcurrencyLimit:
    """Threads that each take a turn and keep it until they are told to send."""

    def __init__(self, send_slots: SendSlots, number: int) -> None:
        self.send_slots = send_slots
        self.got = threading.Semaphore(0)
        self.send = threading.Event()
        self.leave = threading.Event()
        self.threads = [threading.Thread(target=self._take, daemon=True) for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def _take(self) -> None:
        with self.send_slots.send_slot():
            self.got.release()
            self.send.wait(10)
            self.send_slots.sent()
            self.leave.wait(10)

    def got_turns(self, number: int) -> bool:
        return all(self.got.acquire(timeout=10) for _ in range(number))

    def end(self) -> None:
        self.send.set()
        self.leave.set()
        for thread in self.threads:
            thread.join(10)


def test_few_come_near_to_being_sent_and_the_next_when_one_is_on_its_way() -> None:
    crowd = ConcurrencyLimit(SendSlots(), AT_ONCE + 5)
    assert crowd.got_turns(AT_ONCE)
    assert not crowd.got.acquire(timeout=0.05)
    crowd.send.set()
    assert crowd.got_turns(5), "a turn ends when its request is sent, not when its answer comes"
    crowd.end()


def test_a_turn_is_over_once_however_often_it_ends() -> None:
    send_slots = SendSlots()
    for _ in range(3):
        with send_slots.send_slot():
            send_slots.sent()
            send_slots.sent()
    send_slots.sent()
    crowd = ConcurrencyLimit(send_slots, AT_ONCE + 1)
    assert crowd.got_turns(AT_ONCE)
    assert not crowd.got.acquire(timeout=0.05)
    crowd.end()


def test_a_turn_without_a_request_is_over_when_its_thread_leaves_even_by_an_error() -> None:
    send_slots = SendSlots()
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ValueError, match="not ready"), send_slots.send_slot():
            raise ValueError("not ready")
    crowd = ConcurrencyLimit(send_slots, AT_ONCE)
    assert crowd.got_turns(AT_ONCE)
    crowd.end()


def test_who_has_no_turn_ends_nobody_elses() -> None:
    send_slots = SendSlots()
    crowd = ConcurrencyLimit(send_slots, AT_ONCE + 1)
    assert crowd.got_turns(AT_ONCE)
    send_slots.sent()
    assert not crowd.got.acquire(timeout=0.05)
    crowd.end()
