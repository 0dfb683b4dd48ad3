"""Send a request and return its answer, or raise the error that says what happened to it.

Only what cannot have been charged is retried: a connection that was never made, a 429, and any GET. A paid request
whose answer is lost is never repeated here: Claid has no idempotency key and would charge for it again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import tenacity
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError, SSLError

from airflow_claid.client.answers import Problem, error_for
from airflow_claid.client.connections import NotifyingAdapter, notifying
from airflow_claid.client.errors import (
    ClaidAnswerLostError,
    ClaidError,
    ClaidNotSentError,
    ClaidRateLimitError,
    ClaidValidationError,
)
from airflow_claid.client.quota.quota import AccountQuota, Booking, Quota
from airflow_claid.client.quota.rate_limits import Group, RateLimit
from airflow_claid.client.quota.send_slots import SendSlots

log = logging.getLogger(__name__)

_ATTEMPTS_WITHOUT_ANSWER = 4
_REQUEST_ID = "x-request-id"


@dataclass(frozen=True)
class Call:
    """One request: the contract's operation id, method, path below the base URL, scope, body and quota group."""

    operation: str
    method: str
    path: str
    scope: str
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    group: Group = Group.IMAGE

    @property
    def repeatable(self) -> bool:
        """Whether it is safe to send twice."""
        return self.method == "GET"


_NO_JOB = Call("get_edit", "GET", "image/edit/async/0", "image_editing")


@dataclass(frozen=True)
class Answer:
    """The JSON body and the request id of a successful answer."""

    body: Any
    request_id: str | None


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

    def hidden_in(self, text: str) -> str:
        """Return a text without the key: a proxy may echo what it was sent."""
        return text.replace(self._key, "***")

    def __repr__(self) -> str:
        return "BearerKey(***)"


@dataclass
class Transport:
    """HTTP to one Claid account; thread-safe.

    :param base_url: with the version, without a slash at the end: ``https://api.claid.ai/v1``.
    :param auth: adds the key to each request.
    :param timeout: seconds to connect, and seconds without a byte of the answer.
    :param max_wait: total seconds that one call may wait for the quota after a 429, or between attempts.
    :param quota: paces the sending; shared by all who use the account.
    :param pool_size: connections kept open.
    :param user_agent: sent with each request.
    :param sleep: waits for a number of seconds; replaced in tests.
    """

    base_url: str
    auth: BearerKey
    timeout: tuple[float, float]
    max_wait: float
    quota: AccountQuota
    pool_size: int
    user_agent: str
    sleep: Callable[[float], None] = time.sleep
    latency: float | None = field(default=None, init=False)
    """Recent seconds from sending to answer of a request that is not a GET."""
    send_slots: SendSlots = field(default_factory=SendSlots, init=False, repr=False)
    _session: requests.Session = field(init=False, repr=False)
    _headers: dict[str, str | bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.proxies, self._session.verify = environment(self.base_url)
        self._session.trust_env = False
        self._headers = {**self._session.headers, "User-Agent": self.user_agent, "Accept": "application/json"}
        adapter = NotifyingAdapter(pool_maxsize=self.pool_size, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the open connections."""
        self._session.close()

    def send(self, call: Call) -> Answer:
        """Send a request and return its answer; retry where that cannot be charged twice.

        :raises ClaidError: if it failed; ``may_have_been_charged`` says whether it may have cost credits.
        """
        try:
            return self._send_once(call)
        except ClaidError as error:
            if not _may_send_again(call, error):
                raise
            first_failure = [error]
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_send_again(call, error)),
            wait=_pause,
            stop=self._waited_enough,
            sleep=self.sleep,
            before_sleep=lambda state: _log_pause(call, state),
            reraise=True,
        )
        return attempts(self._fail_or_send, first_failure, call)

    def _fail_or_send(self, first_failure: list[ClaidError], call: Call) -> Answer:
        """Raise the failure of the first attempt, so that tenacity counts it; from then on send the request."""
        if first_failure:
            raise first_failure.pop()
        return self._send_once(call)

    def _send_once(self, call: Call) -> Answer:
        quota = self.quota.of(call.group, reading=call.repeatable)
        bookings = [self._await_quota(call, quota)]
        if not call.repeatable:
            self.send_slots.about_to_send()
        self.send_slots.sent()
        started = time.monotonic()
        with notifying(lambda: bookings.append(quota.written(bookings[-1]))):
            response = self._exchange(call)
        if not call.repeatable:
            latency = time.monotonic() - started
            self.latency = latency if self.latency is None else 0.9 * self.latency + 0.1 * latency
        rate_limit = RateLimit.from_headers(response.headers)
        self.quota.observe(call.group, rate_limit, bookings[-1], reading=call.repeatable)
        request_id = response.headers.get(_REQUEST_ID)
        body = _json(response)
        if not 200 <= response.status_code < 300:
            raise error_for(
                response.status_code,
                Problem.from_body(self._without_key(body), self.auth.hidden_in(response.text)),
                operation=call.operation,
                scope=call.scope,
                request_id=request_id,
                reset=rate_limit.reset,
            )
        if body is None:
            raise ClaidAnswerLostError(
                f"{call.operation} answered {response.status_code}, but not with readable JSON "
                f"({len(response.content)} bytes) [request id {request_id}]. {_bill(call)}",
                status=response.status_code,
                request_id=request_id,
            )
        return Answer(body, request_id)

    def _without_key(self, body: Any) -> Any:
        """Return an error's body without the key; ``None`` if what is left is not JSON."""
        with contextlib.suppress(ValueError):
            return json.loads(self.auth.hidden_in(json.dumps(body)))
        return None

    def _await_quota(self, call: Call, quota: Quota) -> Booking:
        with quota.line():
            while True:
                closed_for = quota.closed_for()
                if closed_for > self.max_wait:
                    raise ClaidRateLimitError(
                        f"{call.operation} was not sent: the quota is used up for {closed_for:.0f} s, longer than "
                        f"max_wait={self.max_wait:g}",
                        retry_after=closed_for,
                    )
                booking = quota.book()
                if not booking.wait:
                    return booking
                if call.group is Group.IMAGE and quota.ask_for_policies():
                    self._learn_policies()
                else:
                    self.sleep(booking.wait)

    def _learn_policies(self) -> None:
        """Poll a job that cannot exist, to read the headers: that costs nothing and is answered at once.

        A paid answer takes seconds, during which a larger account would be paced by the published default.
        """
        with contextlib.suppress(ClaidError):
            self.quota.of(Group.IMAGE).observe(RateLimit.from_headers(self._exchange(_NO_JOB).headers))

    def _exchange(self, call: Call) -> requests.Response:
        request = requests.PreparedRequest()
        try:
            request.prepare(
                method=call.method,
                url=f"{self.base_url}/{call.path}",
                headers=self._headers,
                json=call.json,
                data=call.form,
                files=call.files,
                auth=self.auth,
                cookies=self._session.cookies,
            )
            return self._session.send(
                request,
                timeout=self.timeout,
                allow_redirects=False,
                proxies=self._session.proxies,
                verify=self._session.verify,
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise ClaidValidationError(f"base_url={self.base_url!r} is not an address: {error}") from None
        except requests.RequestException as error:
            _raise_for_broken_exchange(call, self.base_url, error)

    def _waited_enough(self, state: tenacity.RetryCallState) -> bool:
        error = _error(state)
        if not isinstance(error, ClaidRateLimitError) and state.attempt_number >= _ATTEMPTS_WITHOUT_ANSWER:
            return True
        return state.idle_for + state.upcoming_sleep > self.max_wait


def environment(url: str) -> tuple[dict[str, str], bool | str]:
    """Return the proxies and certificates that the environment names; requests would read them for each request."""
    settings = requests.Session().merge_environment_settings(url, {}, None, None, None)
    verify = settings["verify"]
    return dict(settings["proxies"]), True if verify is None else verify


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
        _error(state),
        call.operation,
        state.upcoming_sleep,
    )


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _raise_for_broken_exchange(call: Call, base_url: str, error: requests.RequestException) -> NoReturn:
    """Distinguish a request that never left from one that may have arrived; not chained: the cause holds the key."""
    reason = error.args[0] if error.args else error
    if isinstance(reason, MaxRetryError) and reason.reason is not None:
        reason = reason.reason
    if _never_sent(reason):
        raise ClaidNotSentError(
            f"{call.operation} could not reach {base_url}: {reason}. Nothing was sent, nothing was charged."
        ) from None
    raise ClaidAnswerLostError(
        f"{call.operation} was sent to {base_url}, but the answer did not arrive: {reason}. {_bill(call)}"
    ) from None


def _never_sent(reason: object) -> bool:
    """Return whether the connection failed before the first byte of the request; other TLS errors can come later."""
    if isinstance(reason, SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    if isinstance(reason, ProxyError):
        cause = reason.original_error
        return isinstance(cause, (NewConnectionError, ConnectTimeoutError)) or "Tunnel connection failed" in str(cause)
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def _bill(call: Call) -> str:
    return "A GET costs nothing." if call.repeatable else "It may have been charged."


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
