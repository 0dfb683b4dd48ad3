"""The one guard of money: what is reserved, spent or in doubt never passes the ceiling together."""

from __future__ import annotations

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_claid.client import ClaidAnswerLostError, ClaidRequestError, GenerateRequest
from airflow_claid.errors import CreditCeilingError
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.storage.compact_map import CompactMap
from airflow_claid.storage.places import TEMPORARY


def order(images: int = 1, prompt: str = "A brass lamp") -> GenerateOrder:
    request = GenerateRequest.of(prompt, number_of_images=images)
    return GenerateOrder(base_url="https://api.claid.ai/v1", place=TEMPORARY, name=None, request=request)


def pay(budget: Budget, images: int = 1, prompt: str = "A brass lamp") -> None:
    with budget.reserve(order(images, prompt)) as reservation:
        reservation.charge()


def lose(budget: Budget, images: int = 1, prompt: str = "A brass lamp") -> None:
    with pytest.raises(ClaidAnswerLostError), budget.reserve(order(images, prompt)):
        raise ClaidAnswerLostError("cut")


def test_what_is_charged_is_spent() -> None:
    budget = Budget()
    pay(budget, images=3)
    pay(budget)
    assert (budget.spent, budget.in_doubt) == (4, 0)


def test_what_is_not_sent_costs_nothing() -> None:
    budget = Budget(1)
    with budget.reserve(order()):
        pass
    with pytest.raises(ClaidRequestError), budget.reserve(order()):
        raise ClaidRequestError("422")
    pay(budget)
    assert (budget.spent, budget.in_doubt) == (1, 0)


def test_an_error_after_the_charge_keeps_it() -> None:
    budget = Budget()

    def fail_late() -> None:
        with budget.reserve(order()) as reservation:
            reservation.charge()
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail_late()
    assert budget.spent == 1


def test_the_ceiling_may_be_reached_and_not_passed() -> None:
    budget = Budget(4)
    pay(budget, images=3)
    with pytest.raises(CreditCeilingError, match=r"'A brass lamp' would cost 2 .* on top of 3 .*max_credits=4"):
        pay(budget, images=2)
    with pytest.raises(CreditCeilingError):
        budget.check(order(2))
    pay(budget)
    assert budget.spent == 4


def test_credits_of_another_process_count() -> None:
    budget = Budget(4, spent=3)
    with pytest.raises(CreditCeilingError):
        pay(budget, images=2)
    assert budget.spent == 3


def test_what_others_have_reserved_counts() -> None:
    budget = Budget(2)
    with budget.reserve(order()), budget.reserve(order()), pytest.raises(CreditCeilingError):
        pay(budget)
    pay(budget, images=2)


def test_a_lost_answer_counts_against_the_ceiling_as_if_it_were_paid() -> None:
    budget = Budget(2)
    lose(budget)
    assert (budget.spent, budget.in_doubt) == (0, 1)
    pay(budget)
    with pytest.raises(CreditCeilingError, match=r"\(and perhaps 1 more, for lost answers\)"):
        pay(budget)


def test_a_lost_answer_that_is_found_is_spent_once_and_only_by_who_sent_it() -> None:
    budget = Budget()
    lose(budget, prompt="A sofa")
    assert budget.settle(order(prompt="A lamp")) == 0
    assert budget.settle(order(prompt="A sofa")) == 1
    assert budget.settle(order(prompt="A sofa")) == 0
    assert (budget.spent, budget.in_doubt) == (1, 0)


def test_a_request_lost_twice_and_found_once_stays_in_doubt_once() -> None:
    budget = Budget()
    lose(budget)
    lose(budget)
    budget.settle(order())
    assert (budget.spent, budget.in_doubt) == (1, 1)


def test_a_price_known_only_at_the_end_is_added() -> None:
    budget = Budget(3)
    pay(budget)
    budget.add(order(), 2)
    assert budget.spent == 3
    with pytest.raises(CreditCeilingError):
        pay(budget)


def test_a_closed_budget_raises_what_closed_it_first() -> None:
    budget = Budget()
    budget.check_open()
    budget.close(lambda: OSError("killed"))
    budget.close(lambda: OSError("out of time"))
    for ask in (budget.check_open, lambda: budget.check(order()), lambda: pay(budget)):
        with pytest.raises(OSError, match="killed"):
            ask()
    assert budget.spent == 0


def test_a_budget_that_refuses_pays_nothing_and_lets_wait() -> None:
    budget = Budget()
    budget.refuse(lambda: OSError("nothing was carried"))
    budget.check_open()
    with pytest.raises(OSError, match="carried"):
        pay(budget)
    assert budget.spent == 0


def test_threads_together_spend_the_whole_ceiling_and_no_more() -> None:
    budget = Budget(40)
    refused = threading.Semaphore(0)

    def spend(number: int) -> None:
        try:
            pay(budget, prompt=f"Lamp {number}")
        except CreditCeilingError:
            refused.release()

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(spend, range(200)))
    assert budget.spent == 40
    assert all(refused.acquire(blocking=False) for _ in range(160))
    assert not refused.acquire(blocking=False)


def test_each_thread_that_meets_a_closed_budget_gets_an_error_of_its_own() -> None:
    budget = Budget()
    budget.close(lambda: OSError("killed"))

    def error(_: int) -> Exception:
        with pytest.raises(OSError, match="killed") as raised:
            budget.check_open()
        return raised.value

    with ThreadPoolExecutor(8) as pool:
        assert len({id(one) for one in list(pool.map(error, range(8)))}) == 8


def test_what_each_of_many_orders_cost_takes_few_bytes() -> None:
    budget = Budget()
    pay(budget, prompt="Lamp number 0")
    tracemalloc.start()
    for number in range(1, 5000):
        pay(budget, images=1 + number % 4, prompt=f"Lamp number {number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 60 * 5000
    assert budget.spent_on(order(4, "Lamp number 7")) == 4
    assert budget.spent_on(order(1, "Lamp number 7")) == 0


def test_what_an_order_cost_is_known_while_others_are_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The map of what each order cost grows; until it has, it is empty."""
    budget, allot, told = Budget(), CompactMap._allot, []
    readers: list[threading.Thread] = []

    def while_it_grows(costs: CompactMap, places: int) -> None:
        allot(costs, places)
        readers.append(threading.Thread(target=lambda: told.append(budget.spent_on(order(prompt="Lamp number 0")))))
        readers[-1].start()
        readers[-1].join(0.2)

    pay(budget, prompt="Lamp number 0")
    monkeypatch.setattr(CompactMap, "_allot", while_it_grows)
    for number in range(1, 1000):
        pay(budget, prompt=f"Lamp number {number}")
    for reader in readers:
        reader.join(30)
    assert told == [1]
