"""Minutes of an account that several clients use, simulated: the sandbox's own windows, and a clock that jumps."""

from __future__ import annotations

import bisect
import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from airflow_claid.client.quota.quota import Quota
from airflow_claid.client.quota.rate_limits import Policy, RateLimit
from airflow_claid.client.quota.store import Taken
from airflow_claid.sandbox.quota import Quota as Windows
from benchmarks.allowance import used

POLICIES = (Policy(600, 60), Policy(20, 1))


class Account:
    """An account of 600 a minute and 20 a second, whose answers come after 5 s, more or less 2."""

    def __init__(self) -> None:
        self.now = 0.0
        self.chance = random.Random(7)
        self.windows = Windows("600/60,20/1", lambda: self.now)
        self._numbers = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), do))

    def run(self, until: float) -> None:
        while self._due and self._due[0][0] < until:
            self.now, _, do = heapq.heappop(self._due)
            do()


class Busy:
    """A client of ours with so much to do that somebody always waits in line; a refused request is sent again.

    :param journey: the longest time in seconds that a request takes to arrive.
    """

    def __init__(self, account: Account, quota: Quota | None = None, journey: float = 0.012) -> None:
        self.account = account
        self.journey = journey
        self.quota = quota or Quota(POLICIES, lambda: account.now)
        self.sent: list[float] = []
        self.refused: list[float] = []
        account.after(account.chance.random() / 100, self._ask)

    def _ask(self) -> None:
        account, booking = self.account, self.quota.book()
        if booking.wait:
            account.after(booking.wait, self._ask)
            return

        def arrive() -> None:
            reading = account.windows.take()
            seen = RateLimit.from_headers(reading.headers)
            (self.sent if reading.allowed else self.refused).append(account.now)
            delay = account.chance.uniform(3, 7) if reading.allowed else 0.01
            account.after(delay, lambda: self.quota.observe(seen, booking))

        account.after(account.chance.uniform(0.002, self.journey), arrive)
        account.after(0.0005, self._ask)


def in_minute(moments: list[float], number: int) -> int:
    return sum(60 * number <= moment < 60 * (number + 1) for moment in moments)


def stranger(account: Account, begin: float, end: float, rate: float) -> list[float]:
    """Somebody who sends regardless; the moments at which it was let through."""
    sent: list[float] = []

    def send() -> None:
        if account.now < end:
            if account.windows.take().allowed:
                sent.append(account.now)
            account.after(account.chance.expovariate(rate), send)

    account.after(begin, send)
    return sent


def test_the_whole_quota_is_used_without_a_refusal() -> None:
    account = Account()
    client = Busy(account)
    account.run(300)
    assert used("600/60,20/1", client.sent[: 1000 + 1]) >= 0.98, "a thousand, and the one that asks for the quota"
    assert not client.refused
    assert len(client.sent) >= 0.99 * 3000


@pytest.mark.parametrize("begin", [120, 137, 150])
def test_somebody_who_takes_a_third_for_a_minute_is_yielded_to_and_then_the_whole_is_used_again(begin: int) -> None:
    account = Account()
    client = Busy(account)
    other = stranger(account, begin, begin + 60, 600 / 3 / 60)
    account.run(540)
    assert len(client.refused) <= 5
    assert len(other) > 60
    assert in_minute(client.sent, 7) >= 590
    assert in_minute(client.sent, 8) >= 590


@pytest.mark.parametrize("clients", [2, 4])
def test_clients_whose_store_has_failed_get_on_by_the_headers_alone(clients: int) -> None:
    account = Account()
    quotas = [Quota(POLICIES, lambda: account.now) for _ in range(clients)]
    for quota in quotas:
        quota._go_alone(0.0)
    together = [Busy(account, quota) for quota in quotas]
    account.run(480)
    sent, refused = sum(len(client.sent) for client in together), sum(len(client.refused) for client in together)
    assert refused < 0.01 * sent
    assert sent > 0.8 * 4800
    assert min(len(client.sent) for client in together) > 0.5 * sent / clients


def test_one_refusal_is_forgotten_soon_if_the_answers_tell_of_nobody_else() -> None:
    account = Account()
    client = Busy(account)
    account.after(10, lambda: client.quota.observe(RateLimit(POLICIES, -1, 1, 600)))
    account.run(60)
    assert len(client.sent) >= 500
    assert not client.refused


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_a_request_that_its_journey_brought_too_early_widens_the_windows_instead(policy: Policy) -> None:
    account = Account()
    quota = Quota(POLICIES, lambda: account.now)
    bookings = []
    while len(bookings) < policy.requests + 1:
        booking = quota.book()
        if not booking.wait:
            bookings.append(booking)
        account.now += booking.wait
    slack = quota._slack_of(policy)
    quota.observe(RateLimit(POLICIES, -1, 1, policy.requests), bookings[-1])
    assert quota._slack_of(policy) == 2 * slack
    assert quota._others.share(account.now) == 0


@pytest.mark.parametrize(("shared", "share"), [(599, 0.25), (600, 0)])
def test_workers_that_fill_the_longest_window_together_are_not_taken_for_others(shared: int, share: float) -> None:
    account = Account()
    quota = Quota(POLICIES, lambda: account.now)
    quota.observe(RateLimit(POLICIES, -1, 1, 600), replace(quota.book(), shared=shared))
    assert quota._others.share(account.now) == share


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_a_refusal_that_our_own_requests_do_not_explain_is_taken_for_others(policy: Policy) -> None:
    account = Account()
    quota = Quota(POLICIES, lambda: account.now)
    bookings = []
    while len(bookings) < policy.requests - 5:
        booking = quota.book()
        if not booking.wait:
            bookings.append(booking)
        account.now += booking.wait
    slack = quota._slack_of(policy)
    quota.observe(RateLimit(POLICIES, -1, 1, policy.requests), bookings[-1])
    assert quota._slack_of(policy) == slack
    assert quota._others.share(account.now) == 0.25


@pytest.mark.parametrize("journey", [0.03, 0.06, 0.1, 0.2])
def test_journeys_of_uneven_length_are_not_taken_for_others(journey: float) -> None:
    account = Account()
    client = Busy(account, journey=journey)
    account.run(300)
    assert len(client.refused) <= 0.01 * len(client.sent)
    assert len(client.sent) >= 0.97 * 3000


class Shared:
    """The windows that clients share in a store, without the server: kept by the account's clock."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.sent: list[float] = []

    def take(self, policies: list[tuple[Policy, float]], left: float) -> Taken:
        now, (longest, shortest) = self.account.now, (policy.window + slack for policy, slack in policies)
        for (policy, _), window in zip(policies, (longest, shortest), strict=True):
            allowed = max(1, int(policy.requests * left)) if policy.window == 60 else policy.requests
            if self._since(now - window) >= allowed:
                return Taken(max(0.01, self.sent[-allowed] + window - now))
        self.sent.append(now)
        return Taken(0.0, self._since(now - longest), self._since(now - 1 - 3 * (shortest - 1)) >= 20)

    def add(self, policies: tuple[Policy, ...]) -> None:
        self.sent.append(self.account.now)

    def policies(self) -> None:
        return None

    def remember(self, policies: str) -> None:
        pass

    def _since(self, moment: float) -> int:
        return len(self.sent) - bisect.bisect_left(self.sent, moment)


@pytest.mark.parametrize("journey", [0.05, 0.1, 0.2])
def test_journeys_of_uneven_length_are_not_taken_for_others_by_those_who_share_a_store(journey: float) -> None:
    account = Account()
    store: Any = Shared(account)
    quotas = [Quota(POLICIES, lambda: account.now, store) for _ in range(4)]
    together = [Busy(account, quota, journey) for quota in quotas]
    account.run(300)
    sent, refused = sum(len(client.sent) for client in together), sum(len(client.refused) for client in together)
    assert refused <= 0.01 * sent
    assert sent >= 0.97 * 3000
