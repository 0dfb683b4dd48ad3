from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client import ClaidClient
from airflow_claid.client.quota.pacing import SLACK
from airflow_claid.client.quota.quota import AccountQuota, Quota
from airflow_claid.client.quota.rate_limits import DEFAULT_POLICIES, Group, Policy, RateLimit
from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.settings import Latency
from tests.support.clock import Clock

HEADERS = {"RateLimit-Limit": "120, 120;w=60, 4;w=1", "RateLimit-Remaining": "87", "RateLimit-Reset": "42"}
ANY_POLICY = st.builds(Policy, st.integers(1, 12), st.integers(1, 90).map(float))
ANY_POLICIES = st.lists(ANY_POLICY, min_size=1, max_size=3).map(tuple)


def moments(quota: Quota, clock: Clock, count: int) -> list[float]:
    """Send so many requests, as soon as each may be; tell when."""
    return [moment_of_next(quota, clock) for _ in range(count)]


def moment_of_next(quota: Quota, clock: Clock) -> float:
    with quota.line():
        while wait := quota.book().wait:
            clock.now += wait
    return clock.now


def most_within(sent: Sequence[float], window: float) -> int:
    """How many of these moments fall, at most, into any span shorter than the window."""
    return max(sum(start <= moment < start + window for moment in sent) for start in sent)


def test_claids_default_is_120_a_minute_and_4_a_second() -> None:
    assert set(DEFAULT_POLICIES) == {Policy(120, 60), Policy(4, 1)}
    clock = Clock()
    sent = moments(Quota(clock=clock), clock, 300)
    assert most_within(sent, 1) == 4
    assert most_within(sent, 60) == 120


def test_the_quota_is_used_and_not_only_kept() -> None:
    clock = Clock()
    sent = moments(Quota(clock=clock), clock, 600)
    assert sent[0] == 1000
    assert sent[-1] - sent[0] <= 4 * 60 + 29 * 1.04 + 1


@given(policies=ANY_POLICIES, waits=st.lists(st.floats(0, 30), min_size=1, max_size=80))
def test_no_window_ever_holds_more_than_its_policy_allows(policies: tuple[Policy, ...], waits: list[float]) -> None:
    clock = Clock()
    quota = Quota(policies, clock)
    sent = []
    for wait in waits:
        clock.now += wait
        sent.append(moment_of_next(quota, clock))
    for policy in policies:
        assert most_within(sent, policy.window) <= policy.requests


@given(policies=ANY_POLICIES, delays=st.lists(st.floats(0, 5), min_size=1, max_size=80))
def test_a_request_counts_from_when_it_was_on_its_way_however_long_that_took(
    policies: tuple[Policy, ...], delays: list[float]
) -> None:
    clock = Clock()
    quota = Quota(policies, clock)
    arrived = []
    for delay in delays:
        with quota.line():
            while (booking := quota.book()).wait:
                clock.now += booking.wait
        clock.now += delay
        assert quota.written(booking).moment == clock.now
        arrived.append(clock.now)
    for policy in policies:
        assert most_within(arrived, policy.window) <= policy.requests


@given(before=ANY_POLICIES, after=ANY_POLICIES, early=st.integers(0, 40), late=st.integers(1, 40))
def test_new_policies_hold_from_the_answer_that_names_them(
    before: tuple[Policy, ...], after: tuple[Policy, ...], early: int, late: int
) -> None:
    clock = Clock()
    quota = Quota(before, clock)
    moments(quota, clock, early)
    quota.observe(RateLimit(after, None, None))
    sent = moments(quota, clock, late)
    for policy in after:
        assert most_within(sent, policy.window) <= policy.requests


def test_an_account_with_less_than_the_default_is_paced_by_its_own_headers() -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    moments(quota, clock, 1)
    quota.observe(RateLimit.from_headers({"RateLimit-Limit": "30, 30;w=60, 1;w=1", "RateLimit-Remaining": "29"}))
    sent = moments(quota, clock, 40)
    assert most_within(sent, 1) == 1
    assert most_within(sent, 60) <= 30


def test_an_account_with_more_than_the_default_may_use_it() -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    moments(quota, clock, 1)
    quota.observe(RateLimit.from_headers({"RateLimit-Limit": "6000, 6000;w=60, 200;w=1"}))
    assert moments(quota, clock, 199)[-1] - 1000 < 1


def test_who_waits_by_a_mere_default_goes_on_with_what_an_answer_names() -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    moments(quota, clock, 120)
    assert quota.book().wait
    quota.observe(RateLimit((Policy(600, 60), Policy(20, 1)), None, None))
    clock.now += 1
    assert not quota.book().wait


def test_a_quota_without_policies_makes_nobody_wait() -> None:
    clock = Clock()
    assert moments(Quota((), clock), clock, 1000) == [1000.0] * 1000


def test_a_quota_that_is_exceeded_is_closed_until_its_reset() -> None:
    clock = Clock()
    quota = Quota((Policy(4, 1),), clock)
    quota.observe(RateLimit((), remaining=-1, reset=30))
    assert quota.closed_for() == quota.book().wait == 30
    clock.now += 30
    assert not quota.closed_for()
    assert not quota.book().wait


def test_after_a_refusal_the_requests_come_one_by_one_and_not_all_at_once() -> None:
    clock = Clock()
    quota = Quota((Policy(600, 60), Policy(20, 1)), clock)
    quota.observe(RateLimit((), remaining=-1, reset=30))
    sent = moments(quota, clock, 20)
    assert sent[0] == 1030
    assert min(later - earlier for earlier, later in pairwise(sent)) > 0.01


def test_the_later_of_two_resets_holds() -> None:
    clock = Clock()
    quota = Quota((), clock)
    quota.observe(RateLimit((), remaining=-1, reset=30))
    quota.observe(RateLimit((), remaining=-1, reset=2))
    assert quota.book().wait == 30


def test_a_quota_that_others_used_up_is_closed_and_one_that_we_used_up_is_paced_as_it_was() -> None:
    clock = Clock()
    shared, own = Quota((Policy(4, 1),), clock), Quota((Policy(4, 1),), clock)
    used_up = RateLimit((), remaining=0, reset=1)
    moments(shared, clock, 1)
    begun = clock.now
    moments(own, clock, 4)
    shared.observe(used_up)
    own.observe(used_up)
    assert shared.closed_for()
    assert not own.closed_for()
    assert 1 <= moment_of_next(own, clock) - begun < 1.2


def test_a_minute_used_up_by_others_is_waited_for_even_if_our_own_second_is_full() -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    moments(quota, clock, 4)
    quota.observe(RateLimit((), remaining=0, reset=35))
    assert quota.book().wait == 35


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        (HEADERS, RateLimit((Policy(120, 60), Policy(4, 1)), 87, 42, 120)),
        ({}, RateLimit((), None, None)),
        ({**HEADERS, "RateLimit-Remaining": "-1"}, RateLimit((Policy(120, 60), Policy(4, 1)), -1, 42, 120)),
        ({"RateLimit-Limit": "15"}, RateLimit((), None, None, 15)),
        ({"RateLimit-Limit": "0, 0;w=60, 4;w=0"}, RateLimit((), None, None, 0)),
        (
            {"RateLimit-Limit": "many", "RateLimit-Remaining": "few", "RateLimit-Reset": "soon"},
            RateLimit((), None, None),
        ),
        ({"RateLimit-Reset": "-5"}, RateLimit((), None, 0)),
        ({"RateLimit-Reset": "0.5"}, RateLimit((), None, 0.5)),
        ({"RateLimit-Limit": "9" * 20 + ", " + "9" * 20 + ";w=60, 4;w=1"}, RateLimit((Policy(4, 1),), None, None)),
        ({"RateLimit-Limit": "9" * 5000 + ";w=" + "9" * 5000}, RateLimit((), None, None)),
        ({"RateLimit-Limit": "-4, -4;w=60, 4;w=-1, 5;w=99999999"}, RateLimit((), None, None, -4)),
        ({"RateLimit-Limit": "\u0664, \u0664;w=\u0661"}, RateLimit((), None, None)),
        ({"RateLimit-Limit": "4;w=1;burst=9, 9 ; w = 60"}, RateLimit((Policy(4, 1), Policy(9, 60)), None, None)),
        ({"RateLimit-Limit": "100000000;w=1"}, RateLimit((), None, None)),
        ({"RateLimit-Limit": ", ".join(["4;w=1"] * 5000)}, RateLimit((Policy(4, 1),) * 11, None, None)),
        ({"RateLimit-Remaining": "1_000"}, RateLimit((), None, None)),
        ({"RateLimit-Remaining": "\u00b2"}, RateLimit((), None, None)),
        *(({"RateLimit-Reset": text}, RateLimit((), None, None)) for text in ("nan", "inf", "1e9", "9" * 400, "86401")),
    ],
)
def test_headers_are_read_as_far_as_they_can_be(headers: dict[str, str], seen: RateLimit) -> None:
    assert RateLimit.from_headers(headers) == seen


@pytest.mark.parametrize(
    ("headers", "remaining", "reset"),
    [
        ({"Retry-After": "17"}, -1, 17),
        ({"Retry-After": "17", "RateLimit-Reset": "3"}, None, 3),
        ({"Retry-After": "17", "RateLimit-Remaining": "0"}, 0, 17),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, -1, 30),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}, -1, 0),
        ({"Retry-After": "Wed, 21 Oct 2195 07:28:30 GMT"}, None, None),
        ({"Retry-After": "-1"}, -1, 0),
        ({"Retry-After": "soon"}, None, None),
        ({"Retry-After": "99999999999999999999"}, None, None),
        ({"Retry-After": "Wed, 21 Oct 99999999999 07:28:30 GMT"}, None, None),
        ({}, None, None),
    ],
)
def test_a_refusal_says_when_to_come_back(headers: dict[str, str], remaining: int | None, reset: float | None) -> None:
    assert RateLimit.from_headers(headers, refused=True) == RateLimit((), remaining, reset)
    assert RateLimit.from_headers({"Retry-After": "17"}) == RateLimit((), None, None)


def test_a_line_that_does_not_move_is_left_when_patience_ends() -> None:
    quota = Quota((Policy(1, 60),))
    with quota.line(0) as first:
        left = threading.Thread(target=lambda: turns.append(entered(quota)))
        turns: list[bool] = []
        left.start()
        left.join()
    assert first
    assert turns == [False]
    assert entered(quota)


def entered(quota: Quota) -> bool:
    with quota.line(0) as turn:
        return turn


def test_a_booking_tells_the_whole_wait_and_a_shorter_pause() -> None:
    clock = Clock()
    quota = Quota((Policy(1, 3600),), clock)
    assert not quota.book().wait
    later = quota.book()
    assert later.wait == 0.25
    assert 3600 <= later.needed < 3601


HEADER = st.text(max_size=30) | st.from_regex(r"-?[0-9]{1,25}(, ?-?[0-9]{1,25};w=-?[0-9]{1,25}){0,3}", fullmatch=True)


@given(st.dictionaries(st.sampled_from([*HEADERS, "Retry-After", "Date"]), HEADER), st.booleans())
def test_no_header_breaks_the_pacing(headers: dict[str, str], refused: bool) -> None:
    clock = Clock()
    quota = Quota(clock=clock)
    assert not quota.book().wait
    quota.observe(RateLimit.from_headers(headers, refused=refused))
    assert quota.book().wait >= 0


def test_an_answer_that_says_nothing_of_the_quota_changes_nothing() -> None:
    clock = Clock()
    quota = Quota((Policy(2, 10),), clock)
    quota.observe(RateLimit.from_headers({}))
    assert most_within(moments(quota, clock, 10), 10) == 2


def test_threads_go_on_in_the_order_in_which_they_came() -> None:
    quota, gone = Quota(()), []
    threads = [threading.Thread(target=lambda n=number: go(quota, gone, n)) for number in range(20)]  # type: ignore[misc]
    with quota.line():
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda: len(quota._line) == number + 2)  # noqa: B023
        assert gone == []
    for thread in threads:
        thread.join(10)
    assert gone == list(range(20))


def go(quota: Quota, gone: list[int], number: int) -> None:
    with quota.line():
        quota.book()
        gone.append(number)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def give_up(quota: Quota) -> None:
    with quota.line():
        assert quota.book().wait
        raise KeyboardInterrupt


def test_who_gives_up_leaves_no_gap_and_holds_up_nobody() -> None:
    clock = Clock()
    quota = Quota((Policy(2, 10),), clock)
    moments(quota, clock, 2)
    with pytest.raises(KeyboardInterrupt):
        give_up(quota)
    assert not quota._line
    assert 10 <= moment_of_next(quota, clock) - 1000 < 10.1


def test_the_rate_and_what_is_used_of_it_are_told() -> None:
    clock = Clock()
    quota = Quota((Policy(600, 60), Policy(20, 1)), clock)
    assert (quota.allowed_rate, quota.used, quota.confirmed) == (10, 0, False)
    moments(quota, clock, 150)
    assert quota.used == 0.25
    assert (Quota(()).allowed_rate, Quota(()).used) == (None, None)


def test_a_refusal_that_names_another_quota_teaches_that_quota_and_nothing_of_travel_times() -> None:
    clock = Clock()
    quota = Quota((Policy(600, 60), Policy(20, 1)), clock)
    bookings = []
    for _ in range(6):
        while (booking := quota.book()).wait:
            clock.now += booking.wait
        bookings.append(booking)
    refused = {"RateLimit-Limit": "4, 120;w=60, 4;w=1", "RateLimit-Remaining": "-1", "RateLimit-Reset": "1"}
    for booking in bookings[4:]:
        quota.observe(RateLimit.from_headers(refused, refused=True), booking)
    assert (quota.in_force, quota._learned_slack, quota._others.share(clock.now)) == (DEFAULT_POLICIES, SLACK, 0)
    assert quota.closed_for() == 1


def test_each_group_has_its_own_published_default_and_storages_have_none() -> None:
    account = AccountQuota()
    assert {group.value: account.of(group).in_force for group in Group} == {
        "image": (Policy(120, 60), Policy(4, 1)),
        "ai_edit": (Policy(60, 60), Policy(1, 1)),
        "fashion": (Policy(60, 60), Policy(1, 1)),
        "video": (Policy(15, 60), Policy(1, 1)),
        "storage": (),
    }


VIDEOS = RateLimit.from_headers({"RateLimit-Limit": "30, 30;w=60, 2;w=1", "RateLimit-Remaining": "20"})
IMAGES = RateLimit.from_headers({"RateLimit-Limit": "600, 600;w=60, 20;w=1", "RateLimit-Remaining": "500"})


def test_a_group_follows_its_own_headers_only() -> None:
    account = AccountQuota()
    account.observe(Group.VIDEO, VIDEOS, account.of(Group.VIDEO).book())
    assert account.of(Group.VIDEO).in_force == VIDEOS.policies
    assert account.of(Group.IMAGE).in_force == DEFAULT_POLICIES


def test_reading_a_job_counts_in_its_group_until_an_answer_shows_that_it_counts_in_the_general_quota() -> None:
    account = AccountQuota()
    videos, images = account.of(Group.VIDEO), account.of(Group.IMAGE)
    assert account.of(Group.VIDEO, reading=True) is videos
    account.observe(Group.VIDEO, VIDEOS, videos.book())
    account.observe(Group.VIDEO, IMAGES, videos.book(), reading=True)
    assert account.of(Group.VIDEO, reading=True) is images
    assert account.of(Group.VIDEO) is videos
    assert (videos.in_force, images.in_force) == (VIDEOS.policies, IMAGES.policies)


def test_storages_are_paced_by_nothing_and_consume_no_quota(sandbox: Sandbox) -> None:
    sandbox.change(quota="1/60")
    sandbox.add_key("of-an-account-without-images")
    with ClaidClient("of-an-account-without-images", sandbox.url) as client:
        for _ in range(5):
            client.list_storages()
        assert client._transport.quota.of(Group.IMAGE).used == 0


def test_who_would_wait_by_a_mere_default_learns_the_quota_first(sandbox: Sandbox) -> None:
    """By the default, twelve requests would take three seconds; an answer that names the quota comes after one."""
    sandbox.change(quota="6000/60,100/1", latency=Latency(1.0))
    sandbox.add_key("of-a-larger-account")
    begun = time.monotonic()
    with ClaidClient("of-a-larger-account", sandbox.url) as client, ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: client.generate_image(f"picture {number}"), range(12)))
        assert client._transport.quota.of(Group.IMAGE).in_force == (Policy(6000, 60), Policy(100, 1))
    assert time.monotonic() - begun < 2.9
    statuses = sorted((entry.operation, entry.status) for entry in sandbox.ledger())
    assert statuses == [("generate_image", 200)] * 12 + [("get_edit", 404)]


def test_threads_use_the_whole_quota_of_a_real_server_without_a_429() -> None:
    """In real time, for the server keeps its own: 32 requests at 8 a second take three pauses of a second."""
    with Sandbox(SandboxSettings(quota="8/1", image_size=64)) as sandbox:
        client = ClaidClient(sandbox.api_key, sandbox.url, quota=Quota((Policy(8, 1),)), pool_size=12)
        begun = time.monotonic()
        with client, ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda number: client.generate_image(f"picture {number}"), range(32)))
        lasted = time.monotonic() - begun
        statuses = [entry.status for entry in sandbox.ledger()]
        assert sandbox.charged() == 32
    assert statuses.count(200) == 32
    assert statuses.count(429) <= 1
    assert 3 <= lasted < 5.5
