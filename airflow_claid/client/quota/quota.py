"""Sending paced by an account's quota: what was sent when, and when the next request may be."""

from __future__ import annotations

import bisect
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from airflow_claid.client.quota.other_clients import OtherClients
from airflow_claid.client.quota.rate_limits import DEFAULT_POLICIES, DEFAULTS, Group, Policy, RateLimit, policies_in
from airflow_claid.client.quota.store import QuotaStore, SharedWindows, Taken

_SLACK = 0.02
"""Seconds by which requests may differ in the time they take to arrive: the tightest window is kept so much longer."""

_LOOSE_SLACK = 0.04
"""The least of it for a window that is not the tightest in the long run, where it costs next to nothing."""

_SHARED_SLACK, _LOOSE_SHARED_SLACK = 0.04, 0.08
"""The least of the two for the windows in a store: requests of several processes differ by more."""

_MOST_SLACK = 0.3
_SLACK_SHRINKS = 0.999

_SPREAD = 0.3
"""Part of a window over which its requests are spread: where the first is refused, the others are not sent."""

_LOOK_AGAIN = 0.25
"""Seconds after which who is next in line looks again: by then an answer may have told another quota."""


@dataclass(frozen=True)
class Booking:
    """What :meth:`Quota.book` answers.

    :param wait: seconds after which to ask again; 0 if the present moment is booked.
    :param moment: the booked moment, by the quota's clock.
    :param shared: requests in the longest window, this one included, of all who share the store; 0 without one.
    :param full: whether all who share the store fill the shortest window.
    """

    wait: float
    moment: float = 0.0
    shared: int = 0
    full: bool = False


class Quota:
    """Paces the requests of one account and one group; thread-safe.

    Claid's windows slide: of 20 requests a second, the 21st may come a second after the first *arrived*. So what is
    kept is the moments at which requests were really sent, and only who is next in line (:meth:`line`) asks for a
    moment, when it has come. Nobody holds a moment in advance: when an answer names another limit, it holds for
    all who wait, and who gives up leaves no gap.

    Requests take different times to arrive, therefore each window is kept a little longer: by 0.02 s the one that
    binds in the long run (of 600 a minute and 20 a second that of a minute, of which it is 0.03 %), by 0.04 s the
    others, which bind in bursts only; by 0.04 s and 0.08 s in a store. If a request is refused that only its journey
    can have brought too early, all are kept twice as long as the shortest was, and shrink again with each answer.

    Other clients of the account are yielded to, see :class:`OtherClients`: their part is taken off each policy, and our
    requests are spread evenly over what is left, so that theirs find room between them.

    With a store, the windows are counted there for all who share it, and each keeps its own as well. While the
    store fails, and until it has seen a whole window again, each takes the others for strangers, and goes by what
    the headers tell of them.

    :param policies: what holds until an answer says otherwise.
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
        self._learnt_slack = _SLACK
        self._others = OtherClients()
        self._store = store
        self._store_trusted_from = 0.0
        self._part_of_shared = 0.1
        self._asked = False
        self._refused_last = False

    @property
    def in_force(self) -> tuple[Policy, ...]:
        """The policies that hold now."""
        return self._policies

    @property
    def confirmed(self) -> bool:
        """Whether an answer has named the policies; until then they are the published default."""
        return self._confirmed

    def ask_for_policies(self) -> bool:
        """Book, once, a request that is to learn the policies: somebody waits for a mere default."""
        with self._lock:
            if self._confirmed or self._asked:
                return False
            self._asked = True
            now = self._clock()
            self._sent.append(now)
            if self._store is not None:
                self._store.add(self._policies)
            return True

    @property
    def allowed_rate(self) -> float | None:
        """Requests a second that the policies allow in the long run; ``None`` where there is no limit."""
        return min((policy.requests / policy.window for policy in self._policies), default=None)

    @property
    def used(self) -> float | None:
        """What part of the quota this process used in the last of the longest windows, 0 to 1; ``None`` without one."""
        with self._lock:
            longest, now = _longest(self._policies), self._clock()
            return self._count(now - longest.window, now) / longest.requests if longest else None

    @contextmanager
    def line(self) -> Iterator[None]:
        """Stand in line until all who came before have gone on or given up; who is inside may :meth:`book`."""
        place = threading.Event()
        with self._lock:
            self._line.append(place)
            self._line[0].set()
        try:
            place.wait()
            yield
        finally:
            with self._lock:
                self._line.remove(place)
                if self._line:
                    self._line[0].set()

    def book(self) -> Booking:
        """Book the present moment if a request may be sent now; else tell how long to wait before asking again."""
        with self._lock:
            now = self._clock()
            if now < self._closed_until:
                return Booking(self._closed_until - now)
            wait = self._next_moment(now) - now
            if wait > 0:
                return Booking(min(wait, _LOOK_AGAIN))
            shared = self._take_of_store(now)
            if shared is not None and shared.wait > 0:
                return Booking(min(shared.wait, _LOOK_AGAIN))
            now = self._clock()
            self._sent.append(now)
            if shared is None or now < self._store_trusted_from:
                return Booking(0.0, now)
            self._part_of_shared = self._count(now - self._window, now) / shared.count
            return Booking(0.0, now, shared.count, shared.full)

    def on_its_way(self, booking: Booking) -> Booking:
        """Move a booking to the present moment, at which its request has been written.

        A new connection, or a busy process, may have kept it: it arrives so much later, and those after it must not
        come too early. In a store the moment stays.
        """
        with self._lock:
            now = self._clock()
            with suppress(ValueError):  # so long ago that it is kept no more
                self._sent.remove(booking.moment)
                self._sent.append(now)
            return replace(booking, moment=now)

    def closed_for(self) -> float:
        """Give the seconds for which nothing may be sent, because an answer said so; 0 where it may."""
        with self._lock:
            return max(0.0, self._closed_until - self._clock())

    def observe(self, seen: RateLimit, booking: Booking | None = None) -> None:
        """Follow what an answer said: policies in force, other clients, a quota that is used up until its reset.

        :param booking: the moment at which the request was sent.
        """
        with self._lock:
            now = self._clock()
            if self._adopt(seen.policies) and self._store is not None:
                self._store.remember(", ".join(f"{one.requests};w={one.window:g}" for one in self._policies))
            if seen.remaining is None:
                return
            if seen.remaining < 0:
                self._refused(seen, now, booking)
            else:
                self._refused_last = False
                self._learnt_slack = max(_SLACK, self._learnt_slack * _SLACK_SHRINKS)
                if booking is not None:
                    self._look_for_others(seen, booking)
            if seen.remaining < 0 or (seen.remaining == 0 and self._used_up_by_others(seen, booking)):
                counted = booking.moment if booking is not None and seen.remaining == 0 else now
                self._closed_until = max(self._closed_until, counted + (seen.reset or 0.0))

    def _next_moment(self, now: float) -> float:
        moment = now
        for policy, ours in zip(self._policies, self._reduced(now), strict=True):
            if len(self._sent) >= ours.requests:
                moment = max(moment, self._sent[-ours.requests] + policy.window + self._slack_of(policy))
        if self._sent and self._policies:
            part = self._others.part(now)
            slowest = self.allowed_rate or 1.0
            fastest = max(policy.requests / policy.window for policy in self._policies)
            moment = max(moment, self._sent[-1] + (1 / (slowest * (1 - part)) if part else _SPREAD / fastest))
        return moment

    def _slack_of(self, policy: Policy, *, shared: bool = False) -> float:
        """Give the seconds by which a policy's window is kept longer."""
        tightest = policy.requests / policy.window <= (self.allowed_rate or 0.0)
        least, loose = (_SHARED_SLACK, _LOOSE_SHARED_SLACK) if shared else (_SLACK, _LOOSE_SLACK)
        return max(self._learnt_slack, least if tightest else loose)

    def _reduced(self, now: float) -> tuple[Policy, ...]:
        """Give the policies without the part of others."""
        left = 1 - self._others.part(now)
        return tuple(Policy(max(1, int(policy.requests * left)), policy.window) for policy in self._policies)

    @property
    def _window(self) -> float:
        """The longest window in seconds."""
        return max((policy.window for policy in self._policies), default=0.0)

    def _count(self, after: float, until: float) -> int:
        """Count the requests that we sent in a time."""
        return bisect.bisect_right(self._sent, until) - bisect.bisect_right(self._sent, after)

    def _take_of_store(self, now: float) -> Taken | None:
        """Count a request in the store; ``None`` where there is none, or none that can be used."""
        if self._store is None or not self._policies:
            return None
        if not self._confirmed:
            self._adopt(policies_in(self._store.policies() or ""))
        windows = [(policy, self._slack_of(policy, shared=True)) for policy in self._policies]
        taken = self._store.take(windows, 1 - self._others.part(now))
        if taken is None:
            self._go_alone(now)
        return taken

    def _go_alone(self, now: float) -> None:
        """Take those who shared the store for strangers, who go on with the part that each had."""
        if now >= self._store_trusted_from:
            self._others.leave(now, 1 - self._part_of_shared)
        self._store_trusted_from = now + self._window

    def _adopt(self, policies: tuple[Policy, ...]) -> bool:
        """Follow these policies from now on; tell whether they are news."""
        if not policies or (self._confirmed and policies == self._policies):
            return False
        self._confirmed = True
        if policies != self._policies:
            self._policies = policies
            self._sent = deque(self._sent, maxlen=_most_requests(policies))
        return True

    def _look_for_others(self, seen: RateLimit, booking: Booking) -> None:
        longest = _longest(self._policies)
        if longest is None or seen.remaining is None or seen.in_force not in (None, longest.requests):
            return
        moment = booking.moment
        ours = self._count(moment - longest.window - 2 * self._learnt_slack, moment + self._learnt_slack)
        foreign = longest.requests - seen.remaining - max(ours, booking.shared)
        doubtful = min(0.05 * longest.requests, min(policy.requests for policy in self._policies))
        part = foreign / longest.requests if foreign > doubtful else 0.0
        self._others.count(self._clock(), moment, part, longest.window)

    def _refused(self, seen: RateLimit, now: float, booking: Booking | None) -> None:
        """Learn from a refusal; from the next ones nothing more, until a request was let through again."""
        if now < self._closed_until or self._refused_last:
            return
        self._refused_last = True
        shortest = min(self._policies, key=lambda policy: policy.window, default=None)
        if booking is not None and shortest is not None and self._came_too_early(shortest, seen, booking):
            self._learnt_slack = min(_MOST_SLACK, 2 * self._slack_of(shortest, shared=booking.shared > 0))
        else:
            self._others.suspect(now)

    def _came_too_early(self, policy: Policy, seen: RateLimit, booking: Booking) -> bool:
        """Whether our own requests, a little earlier or later than they were sent, fill the shortest window.

        Or those of all who share the store.
        """
        if seen.in_force not in (None, policy.requests):
            return False
        slack = self._slack_of(policy)
        begin, end = booking.moment - policy.window - 2 * slack, booking.moment + slack
        return booking.full or self._count(begin, end) > policy.requests

    def _used_up_by_others(self, seen: RateLimit, booking: Booking | None) -> bool:
        """Whether a quota with nothing left was not used up by our own last requests.

        Those are paced already: closing the quota as well would leave every other window unused. So are those of
        all who share the store.
        """
        if booking is not None and booking.shared:
            return False
        return not any(
            (seen.reset or 0.0) <= policy.window
            and len(self._sent) >= policy.requests
            and self._sent[-1] - self._sent[-policy.requests] <= policy.window + self._slack_of(policy)
            for policy in self._policies
        )


class AccountQuota:
    """The quotas of one account: one for each group of operations.

    Reading a job counts in the group that made it. Where an answer shows that it counts in the general quota, that
    of :attr:`Group.IMAGE`, it does from then on.

    :param store: shares the windows with other processes.
    """

    def __init__(self, store: QuotaStore | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._groups = {
            group: Quota(policies, clock, store.of(group.value) if store and policies else None)
            for group, policies in DEFAULTS.items()
        }
        self._reading_is_general = False

    @classmethod
    def of_one(cls, quota: Quota) -> AccountQuota:
        """Pace all operations by one quota."""
        account = cls()
        account._groups = dict.fromkeys(Group, quota)
        return account

    def of(self, group: Group, *, reading: bool = False) -> Quota:
        """Give the quota that an operation counts in.

        :param reading: whether it reads a job.
        """
        general = reading and self._reading_is_general and group is not Group.STORAGE
        return self._groups[Group.IMAGE if general else group]

    def observe(self, group: Group, seen: RateLimit, booking: Booking, *, reading: bool = False) -> None:
        """Follow what an answer said of the quota that its request counted in."""
        own, image = self.of(group, reading=reading), self._groups[Group.IMAGE]
        if not reading or own is image or not seen.policies or seen.policies == own.in_force:
            own.observe(seen, booking)
        elif own.confirmed or seen.policies == image.in_force:
            self._reading_is_general = True
            image.observe(seen)


def _longest(policies: tuple[Policy, ...]) -> Policy | None:
    return max(policies, key=lambda policy: policy.window, default=None)


def _most_requests(policies: tuple[Policy, ...]) -> int:
    return 2 * max((policy.requests for policy in policies), default=1)
