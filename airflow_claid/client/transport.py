"""Send a request and return its answer, or raise the error that says what happened to it.

Only what cannot have been charged is retried: a connection that was never made, a 429, and any GET. A paid request
whose answer is lost is never repeated here: Claid has no idempotency key and would charge for it again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
from requests.auth import AuthBase

from airflow_claid.client.answer import Answer
from airflow_claid.client.answers import Problem, error_for
from airflow_claid.client.call import Call
from airflow_claid.client.errors import ClaidAnswerLostError, ClaidError, ClaidNotSentError, ClaidRateLimitError
from airflow_claid.client.quota.quota import AccountQuota, Booking, Quota
from airflow_claid.client.quota.rate_limits import Group, RateLimit
from airflow_claid.client.quota.send_slots import SendSlots
from airflow_claid.client.redaction import Redactor
from airflow_claid.client.session import Received, Session

log: logging.Logger = logging.getLogger(__name__)

_ATTEMPTS_WITHOUT_ANSWER = 4
_REQUEST_ID = "x-request-id"
_REQUEST_ID_CHARACTERS = 200
_PAUSE = 1.0


OnAnswer = Callable[[Call, Received, float], None]
"""Is told of each answer, whatever its status: call, answer, and seconds from sending to answer."""

_NO_JOB = Call("get_edit", "GET", "image/edit/async/0", "image_editing")


class BearerKey(AuthBase):
    """Adds the key to requests to the base URL's host, and never shows it."""

    def __init__(self, key: str, base_url: str) -> None:
        self._key = key
        self._origin = _origin(base_url)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header; this keeps requests from reading a netrc file."""
        if request.url is not None and _origin(request.url) == self._origin:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def redactor(self) -> Redactor:
        """Return what takes the key out of texts: a server or a proxy may repeat what it was sent."""
        return Redactor(self._key)

    def __repr__(self) -> str:
        return "BearerKey(***)"


@dataclass
class Transport:
    """HTTP to one Claid account; thread-safe.

    :param base_url: with the version, without a slash at the end: ``https://api.claid.ai/v1``.
    :param auth: adds the key to each request.
    :param timeout: seconds to connect, and seconds without a byte of the answer. The whole answer must be there after
        twice the second.
    :param max_wait: total seconds that one call may wait: for the quota, after a 429, and between attempts.
    :param quota: paces the sending; shared by all who use the account.
    :param pool_size: connections kept open.
    :param user_agent: sent with each request.
    :param on_refusal: is told the operation and the status of each answer from 400 to 499.
    :param on_answer: is told of each answer, without the secrets of the client: call, answer, seconds that it took.
    :param sleep: waits for a number of seconds; replaced in tests.
    """

    base_url: str
    auth: BearerKey
    timeout: tuple[float, float]
    max_wait: float
    quota: AccountQuota
    pool_size: int
    user_agent: str
    on_refusal: Callable[[str, int], None] | None = None
    on_answer: OnAnswer | None = None
    sleep: Callable[[float], None] = time.sleep
    latency: dict[Group, float] = field(default_factory=dict, init=False)
    """Recent seconds from sending to answer of a request that is not a GET, by group."""
    send_slots: SendSlots = field(default_factory=SendSlots, init=False, repr=False)
    _redact: Redactor = field(init=False, repr=False)
    _session: Session = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._redact = self.auth.redactor()
        self._session = Session(
            self.base_url, self.auth, self._redact, self.timeout, self.pool_size, {"User-Agent": self.user_agent}
        )

    def close(self) -> None:
        """Close the open connections."""
        self._session.close()

    def send(self, call: Call) -> Answer:
        """Send a request and return its answer; retry where that cannot be charged twice.

        :raises ClaidError: if it failed; ``may_have_been_charged`` says whether it may have cost credits.
        """
        self._redact.learn(*_secrets_in(call.json))
        quota = self.quota.of(call.group, reading=call.repeatable)
        patience = _Patience(self.max_wait, lambda: quota.now)
        try:
            return self._send_once(call, patience)
        except ClaidError as error:
            if not _may_send_again(call, error):
                raise
            first_failure = [error]
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_send_again(call, error)),
            wait=_pause,
            stop=lambda state: _waited_enough(state, patience),
            sleep=lambda seconds: patience.sleep(seconds, self.sleep),
            before_sleep=lambda state: _log_pause(call, state),
            reraise=True,
        )
        return attempts(self._fail_or_send, first_failure, call, patience)

    def _fail_or_send(self, first_failure: list[ClaidError], call: Call, patience: _Patience) -> Answer:
        """Raise the failure of the first attempt, so that tenacity counts it; from then on send the request."""
        if first_failure:
            raise first_failure.pop()
        return self._send_once(call, patience)

    def _send_once(self, call: Call, patience: _Patience) -> Answer:
        quota = self.quota.of(call.group, reading=call.repeatable)
        bookings = [self._await_quota(call, quota, patience)]
        if not call.repeatable:
            self.send_slots.about_to_send()
        self.send_slots.sent()
        started = time.monotonic()
        received = self._session.exchange(call, self._url(call), lambda: bookings.append(quota.written(bookings[-1])))
        latency = time.monotonic() - started
        if not call.repeatable:
            self.latency[call.group] = 0.9 * self.latency.get(call.group, latency) + 0.1 * latency
        # From here on nothing may raise before a paid answer is returned.
        self._tell(call, received, latency)
        reset = self._observe(call, received, bookings[-1])
        request_id = self._redact.line(received.headers.get(_REQUEST_ID) or "", _REQUEST_ID_CHARACTERS) or None
        if not 200 <= received.status < 300:
            if self.on_refusal is not None and 400 <= received.status < 500:
                self.on_refusal(call.operation, received.status)
            raise error_for(
                received.status,
                Problem.read(received.content, self._redact),
                operation=call.operation,
                scope=call.scope,
                request_id=request_id,
                reset=reset,
            )
        content = self._redact.content(received.content)
        is_empty = call.may_be_empty and content.strip() in (b"", b"null")
        if call.repeatable and not is_empty and _json(content) is None:
            raise ClaidAnswerLostError(
                f"{call.operation} answered {received.status}, but not with readable JSON "
                f"({len(received.content)} bytes) [request id {request_id}]. {call.bill}",
                status=received.status,
                request_id=request_id,
            )
        return Answer(call.operation, content, request_id)

    def _tell(self, call: Call, received: Received, seconds: float) -> None:
        """Tell who listens of an answer. Never raises: the answer may be paid for."""
        if self.on_answer is None:
            return
        try:
            headers = {name: self._redact.line(value) for name, value in received.headers.items()}
            shown = Received(received.status, headers, self._redact.content(received.content))
            self.on_answer(call, shown, seconds)
        except Exception as error:  # noqa: BLE001 - an answer that is paid for must not get lost
            log.debug("Nobody could be told of an answer (%s)", type(error).__name__)

    def _url(self, call: Call) -> str:
        return f"{self.base_url}/{call.path}"

    def _observe(self, call: Call, received: Received, booking: Booking) -> float | None:
        """Learn about the quota from an answer's headers; return the seconds until it opens. Never raises."""
        try:
            rate_limit = RateLimit.from_headers(received.headers, refused=received.status == 429)
            self.quota.observe(call.group, rate_limit, booking, reading=call.repeatable)
        except Exception as error:  # noqa: BLE001 - an answer that is paid for must not get lost because of its headers
            log.debug("The headers about the quota are ignored (%s)", type(error).__name__)
            return None
        return rate_limit.reset

    def _await_quota(self, call: Call, quota: Quota, patience: _Patience) -> Booking:
        before = quota.now
        with quota.line(patience.left) as turn:
            patience.waited += quota.now - before
            while turn:
                booking = quota.book()
                if not booking.wait:
                    return booking
                if call.group is Group.IMAGE and quota.ask_for_policies():
                    self._learn_policies()
                elif booking.needed > patience.left:
                    raise self._used_up(call, booking.needed)
                else:
                    patience.sleep(booking.wait, self.sleep)
        raise self._used_up(call, quota.closed_for())

    def _used_up(self, call: Call, needed: float) -> ClaidRateLimitError:
        return ClaidRateLimitError(
            f"{call.operation} was not sent: the quota is used up, and max_wait={self.max_wait:g} s does not reach "
            f"until it opens (in {needed:.0f} s or more)",
            retry_after=needed,
        )

    def _learn_policies(self) -> None:
        """Poll a job that cannot exist, to read the headers: that costs nothing and is answered at once.

        A paid answer takes seconds, during which a larger account would be paced by the published default.
        """
        with contextlib.suppress(ClaidError):
            received = self._session.exchange(_NO_JOB, self._url(_NO_JOB))
            self.quota.of(Group.IMAGE).observe(RateLimit.from_headers(received.headers))


@dataclass
class _Patience:
    """How long one call may still wait: for the quota, after a 429, and between attempts.

    :param max_wait: seconds in all. Less than a second is a pause between requests, and not a wait.
    :param clock: a monotonic clock in seconds.
    """

    max_wait: float
    clock: Callable[[], float]
    waited: float = 0.0

    @property
    def left(self) -> float:
        """Seconds that it may still wait for the quota."""
        return max(self.max_wait, _PAUSE) - self.waited

    def sleep(self, seconds: float, sleep: Callable[[float], None]) -> None:
        """Wait, and count it."""
        before = self.clock()
        sleep(seconds)
        self.waited += self.clock() - before


def _may_send_again(call: Call, error: BaseException) -> bool:
    if isinstance(error, (ClaidNotSentError, ClaidRateLimitError)):
        return True
    return call.repeatable and isinstance(error, ClaidError) and error.retryable


def _pause(state: tenacity.RetryCallState) -> float:
    """Return the seconds until the next attempt: what the server named, or a doubling pause; always with jitter."""
    error = _error(state)
    if isinstance(error, ClaidRateLimitError):
        return error.retry_after + random.uniform(0.05, 0.5)  # noqa: S311 - jitter, not cryptography
    return random.uniform(0.5, 1.0) * min(2.0 ** (state.attempt_number - 1), 10.0)  # noqa: S311


def _log_pause(call: Call, state: tenacity.RetryCallState) -> None:
    log.warning(
        "%s. Retrying %s in %.1f s: it was not charged.",
        str(_error(state)).rstrip("."),
        call.operation,
        state.upcoming_sleep,
    )


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _waited_enough(state: tenacity.RetryCallState, patience: _Patience) -> bool:
    error = _error(state)
    if not isinstance(error, ClaidRateLimitError) and state.attempt_number >= _ATTEMPTS_WITHOUT_ANSWER:
        return True
    return max(patience.waited, state.idle_for) + state.upcoming_sleep > patience.max_wait


def _secrets_in(body: object) -> Iterator[str]:
    """Yield the secrets that a body holds: the secret halves of key pairs."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            if isinstance(value, str) and "secret" in str(name):
                yield value
            else:
                yield from _secrets_in(value)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
