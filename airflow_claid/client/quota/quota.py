"""Pace requests by an account's quota: record when each was sent, and compute when the next one may be."""

from __future__ import annotations

import bisect
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from airflow_claid.client.quota.other_clients import OtherClients
from airflow_claid.client.quota.pacing import LOOSE_SLACK, SLACK, is_tightest, next_moment, shortest_gap
from airflow_claid.client.quota.rate_limits import (
    DEFAULT_POLICIES,
    DEFAULTS,
    Group,
    Policy,
    RateLimit,
    policies_in,
    policies_text,
)
from airflow_claid.client.quota.store import QuotaStore, SharedWindows, Taken

_SHARED_SLACK, _LOOSE_SHARED_SLACK = 0.04, 0.08
"""The minimums of the slack for the windows in a store: travel times differ more between processes."""

_MOST_SLACK = 0.3
_SLACK_SHRINKS = 0.999

_CHECK_AGAIN = 0.25
"""Longest wait, in seconds, before the next in line checks again: an answer may have named another quota by then."""


@dataclass(frozen=True)
class Booking:
    """The result of :meth:`Quota.book`.

    :param wait: seconds until the next attempt; 0 if the present moment is booked.
    :param needed: seconds until a request may be sent, as far as is known now.
    :param moment: the booked moment, by the quota's clock.
    :param shared: requests of all processes that share the store, in the longest window, this one included; 0 without a
        store.
    :param full: whether the processes that share the store fill the shortest window.
    """

    wait: float
    moment: float = 0.0
    needed: float = 0.0
    shared: int = 0
    full: bool = False


class Quota:
    """Paces the requests of one account and one group of operations; thread-safe.

    Claid's windows slide: with 20 requests a second, the 21st may arrive one second after the first *arrived*. So the
    quota records the moments at which requests were really sent, and only the next in line (:meth:`line`) may book,
    when its moment has come. Nobody books in advance: a limit that an answer names holds at once for all that wait, and
    a caller that gives up leaves no gap.

    Requests take different times to arrive, so each window is kept a little longer: by 0.02 s the one that limits the
    long-run rate (of 600 a minute and 20 a second, the minute, of which 0.02 s are 0.03 %), and by 0.04 s the others,
    which limit bursts only; in a store by 0.04 s and 0.08 s. If a request is refused that can only have arrived too
    early, the slack doubles for all windows, and shrinks again with each answer.

    Other clients of the account keep their share, see :class:`OtherClients`: it is subtracted from each policy, and our
    requests are spread evenly over the rest, so that theirs fit between them.

    With a store, the windows are counted there for all processes that share it; each process also keeps its own. While
    the store fails, and until it has covered a whole window again, each process treats the others as foreign clients
    and estimates their share from the headers.

    :param policies: in force until an answer names others.
    :param clock: a monotonic clock in seconds.
    :param store: windows shared with other processes.
    """

    def __init__(
        self,
        policies: tuple[Policy, ...] = DEFAULT_POLICIES,
        clock: Callable[[], float] = time.monotonic,
        store: SharedWindows | None = None,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()
        self._policies = policies
        self._confirmed = False
        self._sent: deque[float] = deque(maxlen=_most_requests(policies))
        self._closed_until = 0.0
        self._learned_slack = SLACK
        self._others = OtherClients()
        self._store = store
        self._store_trusted_from = 0.0
        self._own_share = 0.1
        self._asked_for_policies = False
        self._refused_last = False

    @property
    def in_force(self) -> tuple[Policy, ...]:
        """The policies that are in force now."""
        return self._policies

    @property
    def confirmed(self) -> bool:
        """Whether an answer has named the policies; until then they are the published default, or expected ones."""
        return self._confirmed

    def ask_for_policies(self) -> bool:
        """Book, once, a request that learns the policies: a request is waiting for a mere default."""
        with self._lock:
            if self._confirmed or self._asked_for_policies:
                return False
            self._asked_for_policies = True
            now = self._clock()
            self._sent.append(now)
            if self._store is not None:
                self._store.add(self._policies)
            return True

    def expect(self, policies: tuple[Policy, ...]) -> None:
        """Follow the policies that an earlier task learned, until an answer names those in force."""
        with self._lock:
            if policies and not self._confirmed:
                self._asked_for_policies = True
                self._follow(policies)

    @property
    def allowed_rate(self) -> float | None:
        """Requests a second that the policies allow in the long run; ``None`` where there is no limit."""
        return min((policy.requests / policy.window for policy in self._policies), default=None)

    @property
    def used(self) -> float | None:
        """Share of the quota that this process used in the last longest window, 0 to 1; ``None`` without a limit."""
        with self._lock:
            longest, now = _longest(self._policies), self._clock()
            return self._count(now - longest.window, now) / longest.requests if longest else None

    @property
    def now(self) -> float:
        """The time by the quota's clock, in seconds from any start."""
        return self._clock()

    @contextmanager
    def line(self, patience: float | None = None) -> Iterator[bool]:
        """Wait in line until all earlier callers have left it; inside, the caller may :meth:`book`.

        :param patience: seconds to wait at most; the block gets ``False`` if its turn has not come by then.
        """
        place = threading.Event()
        with self._lock:
            self._line.append(place)
            self._line[0].set()
        try:
            yield place.wait(patience)
        finally:
            with self._lock:
                self._line.remove(place)
                if self._line:
                    self._line[0].set()

    def book(self) -> Booking:
        """Book the present moment if a request may be sent now; else return how long to wait before trying again."""
        with self._lock:
            now = self._clock()
            if now < self._closed_until:
                return _later(self._closed_until - now, at_most=math.inf)
            wait = self._next_moment(now) - now
            if wait > 0:
                return _later(wait)
            shared = self._take_of_store(now)
            if shared is not None and shared.wait > 0:
                return _later(shared.wait)
            now = self._clock()
            self._sent.append(now)
            if shared is None or now < self._store_trusted_from:
                return Booking(0.0, moment=now)
            self._own_share = self._count(now - self._window, now) / shared.count
            return Booking(0.0, moment=now, shared=shared.count, full=shared.full)

    def written(self, booking: Booking) -> Booking:
        """Move a booking to the present moment, at which its request was written.

        A new connection or a busy process may have delayed it: it arrives later, and the requests after it must not
        arrive too early. In a store the moment stays.
        """
        with self._lock:
            now = self._clock()
            place = bisect.bisect_left(self._sent, booking.moment)
            if place < len(self._sent) and self._sent[place] == booking.moment:  # else it is too long ago
                del self._sent[place]
                self._sent.append(now)
            return replace(booking, moment=now)

    def closed_for(self) -> float:
        """Return for how many seconds nothing may be sent, because an answer said so; 0 if sending is allowed."""
        with self._lock:
            return max(0.0, self._closed_until - self._clock())

    def observe(self, rate_limit: RateLimit, booking: Booking | None = None) -> None:
        """Learn from an answer: the policies in force, other clients, a quota that is used up until its reset.

        :param booking: the moment at which the request was sent.
        """
        with self._lock:
            now = self._clock()
            former = self._policies
            if self._adopt(rate_limit.policies) and self._store is not None:
                self._store.remember(policies_text(self._policies))
            if rate_limit.remaining is None:
                return
            if rate_limit.remaining < 0:
                if self._policies == former:
                    self._refused(rate_limit, now, booking)
            else:
                self._refused_last = False
                self._learned_slack = max(SLACK, self._learned_slack * _SLACK_SHRINKS)
                if booking is not None:
                    self._count_others(rate_limit, booking)
            remaining = rate_limit.remaining
            if remaining < 0 or (remaining == 0 and self._used_up_by_others(rate_limit, booking)):
                counted = booking.moment if booking is not None and remaining == 0 else now
                self._closed_until = max(self._closed_until, counted + (rate_limit.reset or 0.0))

    def _next_moment(self, now: float) -> float:
        windows = [
            Policy(ours.requests, policy.window + self._slack_of(policy))
            for policy, ours in zip(self._policies, self._reduced(now), strict=True)
        ]
        share, slowest = self._others.share(now), self.allowed_rate or 1.0
        gap = 1 / (slowest * (1 - share)) if share else shortest_gap(self._policies)
        return max(now, next_moment(self._sent, windows, gap))

    def _slack_of(self, policy: Policy, *, shared: bool = False) -> float:
        """Return the seconds by which a policy's window is kept longer."""
        least, loose = (_SHARED_SLACK, _LOOSE_SHARED_SLACK) if shared else (SLACK, LOOSE_SLACK)
        return max(self._learned_slack, least if is_tightest(policy, self._policies) else loose)

    def _reduced(self, now: float) -> tuple[Policy, ...]:
        """Return the policies less the share of others."""
        left = 1 - self._others.share(now)
        return tuple(Policy(max(1, int(policy.requests * left)), policy.window) for policy in self._policies)

    @property
    def _window(self) -> float:
        """The longest window in seconds."""
        return max((policy.window for policy in self._policies), default=0.0)

    def _count(self, after: float, until: float) -> int:
        """Count our own requests in a period."""
        return bisect.bisect_right(self._sent, until) - bisect.bisect_right(self._sent, after)

    def _take_of_store(self, now: float) -> Taken | None:
        """Count a request in the store; ``None`` if there is no store or it cannot be used."""
        if self._store is None or not self._policies:
            return None
        if not self._confirmed:
            self._adopt(policies_in(self._store.policies() or ""))
        windows = [(policy, self._slack_of(policy, shared=True)) for policy in self._policies]
        taken = self._store.take(windows, 1 - self._others.share(now))
        if taken is None:
            self._go_alone(now)
        return taken

    def _go_alone(self, now: float) -> None:
        """Treat the processes that shared the store as foreign clients, which keep the share that each had."""
        if now >= self._store_trusted_from:
            self._others.leave(now, 1 - self._own_share)
        self._store_trusted_from = now + self._window

    def _adopt(self, policies: tuple[Policy, ...]) -> bool:
        """Follow these policies from now on; return whether they are new."""
        if not policies or (self._confirmed and policies == self._policies):
            return False
        self._confirmed = True
        self._follow(policies)
        return True

    def _follow(self, policies: tuple[Policy, ...]) -> None:
        if policies != self._policies:
            self._policies = policies
            self._sent = deque(self._sent, maxlen=_most_requests(policies))

    def _count_others(self, rate_limit: RateLimit, booking: Booking) -> None:
        longest = _longest(self._policies)
        if longest is None or rate_limit.remaining is None or rate_limit.in_force not in (None, longest.requests):
            return
        moment = booking.moment
        ours = self._count(moment - longest.window - 2 * self._learned_slack, moment + self._learned_slack)
        foreign = longest.requests - rate_limit.remaining - max(ours, booking.shared)
        doubtful = min(0.05 * longest.requests, min(policy.requests for policy in self._policies))
        share = foreign / longest.requests if foreign > doubtful else 0.0
        self._others.count(self._clock(), moment, share, longest.window)

    def _refused(self, rate_limit: RateLimit, now: float, booking: Booking | None) -> None:
        """Learn from a refusal, but not from the next ones until a request is accepted again."""
        if now < self._closed_until or self._refused_last:
            return
        self._refused_last = True
        exceeded = (one for one in self._policies if rate_limit.in_force in (None, one.requests))
        full = next((one for one in exceeded if booking is not None and self._is_full(one, booking)), None)
        if full is not None and booking is not None:
            self._learned_slack = min(_MOST_SLACK, 2 * self._slack_of(full, shared=booking.shared > 0))
        else:
            self._others.suspect(now)

    def _is_full(self, policy: Policy, booking: Booking) -> bool:
        """Return whether our requests, or those of all that share the store, fill a window: one came too early.

        Each counts as sent a little earlier or later than it was.
        """
        if booking.full and policy.window == min(one.window for one in self._policies):
            return True
        if booking.shared >= policy.requests and policy.window == self._window:
            return True
        slack = self._slack_of(policy)
        begin, end = booking.moment - policy.window - 2 * slack, booking.moment + slack
        return self._count(begin, end) > policy.requests

    def _used_up_by_others(self, rate_limit: RateLimit, booking: Booking | None) -> bool:
        """Return whether a quota with nothing left was used up by others than us and those that share the store.

        Our own requests are paced already: closing the quota as well would leave every other window unused.
        """
        if booking is not None and booking.shared:
            return False
        return not any(
            (rate_limit.reset or 0.0) <= policy.window
            and len(self._sent) >= policy.requests
            and self._sent[-1] - self._sent[-policy.requests] <= policy.window + self._slack_of(policy)
            for policy in self._policies
        )


class AccountQuota:
    """The quotas of one account: one for each group of operations.

    A poll of a job counts in the group that made the job. Once an answer shows that it counts in the general quota,
    :attr:`Group.IMAGE`, it does so from then on.

    :param store: shares the windows with other processes.
    """

    def __init__(self, store: QuotaStore | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._groups = {
            group: Quota(policies, clock, store.of(group.value) if store and policies else None)
            for group, policies in DEFAULTS.items()
        }
        self._reading_is_general = False
        self.store = store

    @classmethod
    def of_one(cls, quota: Quota) -> AccountQuota:
        """Return one that paces all operations by a single quota."""
        account = cls()
        account._groups = dict.fromkeys(Group, quota)
        return account

    def of(self, group: Group, *, reading: bool = False) -> Quota:
        """Return the quota that an operation counts in.

        :param reading: whether it polls a job.
        """
        general = reading and self._reading_is_general and group is not Group.STORAGE
        return self._groups[Group.IMAGE if general else group]

    def observe(self, group: Group, rate_limit: RateLimit, booking: Booking, *, reading: bool = False) -> None:
        """Learn from an answer about the quota that its request counted in."""
        own, image = self.of(group, reading=reading), self._groups[Group.IMAGE]
        policies = rate_limit.policies
        if not reading or own is image or not policies or policies == own.in_force:
            own.observe(rate_limit, booking)
        elif own.confirmed or policies == image.in_force:
            self._reading_is_general = True
            image.observe(rate_limit)


def _later(needed: float, at_most: float = _CHECK_AGAIN) -> Booking:
    return Booking(min(needed, at_most), needed=needed)


def _longest(policies: tuple[Policy, ...]) -> Policy | None:
    return max(policies, key=lambda policy: policy.window, default=None)


def _most_requests(policies: tuple[Policy, ...]) -> int:
    return 2 * max((policy.requests for policy in policies), default=1)
