"""Spend limits, counted in a real Redis, by threads, by processes, and while the Redis fails."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import redis

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.spending.limits import SpendLimit
from airflow_claid.client.spending.spending import Spending
from airflow_claid.errors import SpendLimitError, SpendStoreError
from tests.support.processes import free_port
from tests.support.redis import redis_process
from tests.support.spending import BASE_URL, Limited


def pay(spending: Spending, price: float = 1) -> None:
    spending.end(spending.reserve(uuid.uuid4().hex, "'A lamp'", price), charged=True)


def test_what_is_reserved_and_what_is_charged_counts_and_the_rest_is_free(limited: Limited) -> None:
    spending = limited.spending()
    pay(spending, 3)
    held = spending.reserve("one", "'A lamp'", 4)
    assert limited.left == 3
    spending.end(held, charged=False)
    assert limited.left == 7
    spending.end(spending.reserve("two", "'A lamp'", 7), charged=True)
    assert limited.left == 0


def test_the_error_says_what_is_reached_by_whom_and_when_it_opens(limited: Limited) -> None:
    pay(limited.spending("shop.lamps"), 2)
    pay(limited.spending("shop.sofas"), 7.5)
    with pytest.raises(SpendLimitError) as reached:
        limited.spending().reserve("one", "'A lamp'", 1)
    assert str(reached.value) == (
        "'A lamp' would cost 1 credits on top of 9.5 used in 2026-11-26 (7.5 by shop.sofas, 2 by shop.lamps); the "
        f"spend limit '{limited.limit.name}' allows 10 per day. It was not sent. The limit opens again at "
        "2026-11-27T00:00+00:00 (UTC): clear the task then, or raise the limit and clear it now; nothing is paid for "
        "twice."
    )
    assert reached.value.retry_after == 12 * 3600
    assert reached.value.opens_at == datetime(2026, 11, 27, tzinfo=timezone.utc)
    assert (reached.value.name, reached.value.used) == (limited.limit.name, 9.5)
    assert reached.value.retryable
    assert not reached.value.may_have_been_charged


def test_a_new_day_is_empty_and_what_is_under_way_at_midnight_counts_for_the_day_it_was_reserved_in(
    limited: Limited,
) -> None:
    spending = limited.spending()
    held = spending.reserve("one", "'A lamp'", 10)
    limited.time += timedelta(days=1)
    assert limited.left == 10
    spending.end(held, charged=True)
    assert limited.left == 10
    limited.time -= timedelta(days=1)
    assert limited.left == 0


def test_tenths_of_credits_add_up_exactly(limited: Limited) -> None:
    spending = limited.spending()
    for _ in range(100):
        pay(spending, 0.1)
    with pytest.raises(SpendLimitError):
        pay(spending, 0.001)


def test_credits_of_a_sandbox_are_counted_apart(limited: Limited) -> None:
    pay(limited.spending(base_url="http://127.0.0.1:8765/v1"), 10)
    assert limited.left == 10


def test_under_several_limits_nothing_is_reserved_unless_all_allow_it(limited: Limited) -> None:
    month = SpendLimit(limited.limit.name, 12, "month")
    both = limited.spending("shop.lamps", month)
    pay(both, 8)
    with pytest.raises(SpendLimitError, match="allows 10 per day"):
        both.reserve("one", "'A lamp'", 3)
    limited.time += timedelta(days=1)
    with pytest.raises(SpendLimitError, match=r"allows 12 per month.*2026-12-01T00:00"):
        both.reserve("one", "'A lamp'", 5)
    assert limited.left == 10
    pay(both, 4)


def test_the_next_try_takes_over_what_a_killed_one_has_reserved(limited: Limited) -> None:
    limited.spending().reserve("one", "'A lamp'", 6)  # and is killed
    assert limited.left == 4
    held = limited.spending().reserve("one", "'A lamp'", 6)
    assert limited.left == 4
    limited.spending().end(held, charged=True)
    assert limited.left == 4
    with pytest.raises(SpendLimitError):
        limited.spending().reserve("one", "'A lamp'", 6)


def test_what_a_killed_try_has_reserved_is_spent_once_when_its_pictures_are_found(limited: Limited) -> None:
    limited.spending().reserve("one", "'A lamp'", 6)  # and is killed
    for _ in range(2):
        limited.spending().settle("one", 6)
        assert limited.left == 4
    limited.spending().settle("another", 1)
    assert limited.left == 4


def test_a_price_known_only_at_the_end_counts(limited: Limited) -> None:
    limited.spending().add(3)
    assert limited.left == 7
    limited.spending().add(-1)
    assert limited.left == 8
    limited.spending().add(9)
    assert limited.left == 0


def test_whoever_counts_it_is_told_what_is_used(limited: Limited) -> None:
    spending = limited.spending()
    held = spending.reserve("one", "'A lamp'", 2)
    spending.end(held, charged=True)
    spending.end(spending.reserve("two", "'A lamp'", 1), charged=False)
    assert limited.used == [2, 2, 3, 2]


def test_the_counts_of_a_period_are_forgotten_two_days_after_it(limited: Limited, redis_url: str) -> None:
    limited.time = datetime.now(timezone.utc)
    pay(limited.spending())
    limited.spending().add(1)
    server = redis.Redis.from_url(redis_url)
    (name,) = server.scan_iter(f"airflow-claid/spending/*{limited.limit.name}", count=1000)
    ends = limited.limit.period(limited.time).ends + timedelta(days=2)
    assert abs(server.pexpiretime(name) / 1000 - ends.timestamp()) < 1


def test_threads_together_spend_the_whole_limit_and_no_more(limited: Limited) -> None:
    def spend(_: int) -> float:
        try:
            pay(limited.spending())
        except SpendLimitError:
            return 0
        return 1

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(spend, range(100))) == 10


SPENDER = """
import sys, uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from airflow_claid.client.spending.limits import SpendLimit
from airflow_claid.client.spending.spending import Spending
from airflow_claid.errors import SpendLimitError

url, name, who = sys.argv[1:]
noon = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
spending = Spending([SpendLimit(name, 100)], url, "https://api.claid.ai/v1", who, now=lambda: noon)
sys.stdin.readline()

def pay(_):
    try:
        held = spending.reserve(uuid.uuid4().hex, "a lamp", 1)
    except SpendLimitError:
        return 0
    spending.end(held, charged=True)
    return 1

with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(pay, range(100))))
"""
"""Asks for 100 credits, one at a time in eight threads, when it is told to; prints how many it could spend."""


@pytest.mark.parametrize("time", ["first", "second", "third"])
def test_four_processes_that_ask_for_400_credits_spend_exactly_the_100_of_the_day(
    limited: Limited, redis_url: str, time: str
) -> None:
    name = f"{limited.limit.name}-{time}"
    commands = [[sys.executable, "-c", SPENDER, redis_url, name, f"shop.task-{number}"] for number in range(4)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    spent = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sum(spent) == 100


def test_while_the_redis_cannot_be_reached_nothing_may_be_sent_and_what_was_reserved_counts() -> None:
    port = free_port()
    with redis_process(port) as server:
        spending = Limited(f"redis://127.0.0.1:{port}/0", SpendLimit("shop", 10)).spending()
        pay(spending, 3)
        held = spending.reserve("one", "'A lamp'", 2)
        server.kill()
        server.wait()
        with pytest.raises(SpendStoreError, match=r"not sent.*redis://127.0.0.1.*'shop' cannot be reached") as failed:
            spending.reserve("two", "'A lamp'", 1)
        assert failed.value.retryable
        assert not failed.value.may_have_been_charged
        spending.end(held, charged=True)


def test_a_command_whose_answer_is_lost_is_not_counted_twice(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    spending = limited.spending()
    for name in ("reserve", "end"):
        monkeypatch.setattr(spending._counts, name, lose_the_first_answer(getattr(spending._counts, name)))
    pay(spending, 4)
    monkeypatch.undo()
    assert limited.left == 6


def lose_the_first_answer(command: Callable[..., object]) -> Callable[..., object]:
    lost = list[bool]()

    def run(*args: object, **options: object) -> object:
        answer = command(*args, **options)
        if not lost:
            lost.append(True)
            raise redis.TimeoutError
        return answer

    return run


def test_without_its_library_a_limit_is_refused(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "airflow_claid.client.spending.redis_counts", raising=False)
    monkeypatch.setitem(sys.modules, "redis.backoff", None)
    with pytest.raises(ClaidValidationError, match=r"airflow-claid\[redis\]"):
        limited.spending()


def test_a_malformed_address_is_not_shown() -> None:
    with pytest.raises(ClaidValidationError) as refused:
        Spending([SpendLimit("shop", 1)], "redis://:pass/word@h", BASE_URL, "shop.lamps")
    assert "word" not in str(refused.value).replace("password", "")
