"""Keep the spend limits that one task is under, together with all other tasks that are under them.

Credits are reserved before a request is sent, and become spent or free when its fate is known. What is reserved counts
as spent until then, also when the process that reserved it is killed. Nothing is reserved, and so nothing is sent,
while the Redis cannot be reached.

A reservation is named after the request: its fingerprint, its edition and the task instance that sends it. When a try
of a task instance reserves what an earlier try has left reserved, it takes that over, for a request of the same edition
was certainly not charged: one that may have been sent has an intent, and is sent again as the next edition only. Two
task instances never share a reservation, because each of them may send.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

import tenacity

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.client.quota.store import shown_address
from airflow_claid.client.spending.limits import Period, SpendLimit
from airflow_claid.client.text import listed
from airflow_claid.errors import SpendLimitError, SpendStoreError

if TYPE_CHECKING:
    from airflow_claid.client.spending.redis_counts import Counter, RedisCounts, Refused

log: logging.Logger = logging.getLogger(__name__)

_KEPT = timedelta(days=2)
"""How long a period's counts are kept after its end: a request may be under way at midnight."""

_ATTEMPTS = 3
_PAUSE = 0.5

_Reply = TypeVar("_Reply")

_connected: dict[str, RedisCounts] = {}
_connected_lock = threading.Lock()


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Held:
    """Credits that are reserved for one request under all limits.

    :param name: of the reservation.
    :param credits: how many.
    :param counters: where they are counted: the periods in which they were reserved.
    """

    name: str
    credits: float
    counters: tuple[Counter, ...]


class Spending:
    """The spend limits that a task is under; thread-safe.

    :param limits: one or more.
    :param url: of the Redis that counts.
    :param base_url: of Claid or of a sandbox, whose credits are counted apart.
    :param who: the task, as errors name it.
    :param used: receives a limit and the credits used of it, each time that they change.
    :param now: returns the time in UTC.
    :param sleep: waits for a number of seconds.
    :raises ClaidValidationError: if the address is malformed, or the library for Redis is missing.
    """

    def __init__(
        self,
        limits: Sequence[SpendLimit],
        url: str,
        base_url: str,
        who: str,
        *,
        used: Callable[[SpendLimit, float], None] | None = None,
        now: Callable[[], datetime] = _now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = tuple(limits)
        self._shown = shown_address(url.strip())
        self._counts = counts_at(url.strip(), self._limits[0].name)
        self._beginning = beginning_of(base_url)
        self._who = who
        self._used = used
        self._now = now
        self._sleep = sleep

    def reserve(self, request: str, subject: str, credits: float) -> Held:  # noqa: A002 - Claid's own word
        """Reserve credits for a request under all limits.

        :param request: what identifies it; see the module.
        :param subject: what it is of, for the error.
        :raises SpendLimitError: if they would exceed a limit.
        :raises SpendStoreError: if the Redis cannot be reached.
        """
        now = self._now()
        periods = [limit.period(now) for limit in self._limits]
        held = Held(request, credits, self._counters(periods))
        try:
            uses, refused = self._patiently(lambda _: self._counts.reserve(held.counters, request, self._who, credits))
        except Exception as error:
            raise SpendStoreError(
                f"{subject} was not sent, and nothing was charged: the Redis {self._shown} (quota_store) that counts "
                f"the spend limit {self._limits[0].name!r} cannot be reached ({type(error).__name__}). Nothing is sent "
                "before it is back"
            ) from error
        if refused is not None:
            raise self._error(refused, periods[refused.place], subject, credits, now)
        self._tell(uses)
        return held

    def end(self, held: Held, *, charged: bool) -> None:
        """End a reservation; if the Redis cannot be told, it stays reserved and so counts as spent.

        :param charged: whether the request was charged, or may have been.
        """
        self._end(held, charged=charged, even_if_not_held=True)

    def settle(self, request: str, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Count as spent what an earlier try reserved for a request of which it is now known that it was charged."""
        self._end(self._held_now(request, credits), charged=True, even_if_not_held=False)

    def add(self, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Count credits that were charged beyond what was reserved; fewer, if negative."""
        if credits:
            self._end(self._held_now("", credits), charged=True, even_if_not_held=True)

    def _end(self, held: Held, *, charged: bool, even_if_not_held: bool) -> None:
        def end(attempt: int) -> list[float]:
            first = even_if_not_held and attempt == 1  # a later one cannot know whether the first was carried out
            return self._counts.end(
                held.counters, held.name, self._who, held.credits, charged=charged, even_if_not_held=first
            )

        try:
            uses = self._patiently(end)
        except Exception as error:  # noqa: BLE001 - what is charged must not fail because of the count
            log.warning(
                "The Redis %s that counts the spend limits cannot be told what became of %g credits (%s). What was "
                "reserved counts as spent.",
                self._shown,
                held.credits,
                type(error).__name__,
            )
        else:
            if held.counters == self._counters([limit.period(self._now()) for limit in self._limits]):
                self._tell(uses)

    def _held_now(self, request: str, credits: float) -> Held:  # noqa: A002 - Claid's own word
        now = self._now()
        return Held(request, credits, self._counters([limit.period(now) for limit in self._limits]))

    def _patiently(self, command: Callable[[int], _Reply]) -> _Reply:
        """Run a command, given the number of the attempt, a few times if the Redis fails."""
        for attempt in tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_fixed(_PAUSE),
            sleep=self._sleep,
            reraise=True,
        ):
            with attempt:
                return command(attempt.retry_state.attempt_number)
        raise AssertionError("unreachable")

    def _tell(self, uses: Sequence[float]) -> None:
        if self._used is not None:
            for limit, used in zip(self._limits, uses, strict=True):
                self._used(limit, used)

    def _counters(self, periods: Sequence[Period]) -> tuple[Counter, ...]:
        from airflow_claid.client.spending.redis_counts import Counter

        return tuple(
            Counter(
                f"{self._beginning}{limit.per}/{limit.timezone}/{period.label}/{limit.name}",
                limit.credits,
                (period.ends + _KEPT).timestamp(),
            )
            for limit, period in zip(self._limits, periods, strict=True)
        )

    def _error(
        self,
        refused: Refused,
        period: Period,
        subject: str,
        credits: float,  # noqa: A002 - Claid's own word
        now: datetime,
    ) -> SpendLimitError:
        limit = self._limits[refused.place]
        spenders = sorted(refused.by.items(), key=lambda one: -one[1])
        by = listed([f"{count:g} by {who}" for who, count in spenders]) or "nothing so far"
        opens = period.ends.isoformat(timespec="minutes")
        return SpendLimitError(
            f"{subject} would cost {credits:g} credits on top of {refused.used:g} used in {period.label} ({by}); the "
            f"spend limit {limit.name!r} allows {limit.credits:g} per {limit.per}. It was not sent. The limit opens "
            f"again at {opens} ({limit.timezone}): clear the task then, or raise the limit and clear it now; nothing "
            "is paid for twice.",
            name=limit.name,
            used=refused.used,
            opens_at=period.ends,
            retry_after=(period.ends - now).total_seconds(),
        )


def beginning_of(base_url: str) -> str:
    """Return how the names of all counts of a Claid, or of a sandbox, begin."""
    return f"airflow-claid/spending/{hashlib.sha256(base_url.encode()).hexdigest()[:16]}/"


def counts_at(url: str, limit: str) -> RedisCounts:
    """Return the counts on a server: the same object for every task of this process.

    :param limit: the name of a spend limit, for the error.
    :raises ClaidValidationError: if the library is missing.
    """
    try:
        from airflow_claid.client.spending.redis_counts import RedisCounts
    except ImportError:
        raise ClaidValidationError(
            f"spend_limit={limit!r} is counted in a Redis, whose library is missing: install 'airflow-claid[redis]'"
        ) from None
    with _connected_lock:
        if url not in _connected:
            _connected[url] = RedisCounts(url)
        return _connected[url]
