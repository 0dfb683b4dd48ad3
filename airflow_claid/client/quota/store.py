"""Windows of requests that the workers of an account share, in a Redis, by the library ``limits``."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from airflow_claid.client.errors import ClaidValidationError

if TYPE_CHECKING:
    from airflow_claid.client.quota.redis_windows import RedisWindows

log = logging.getLogger(__name__)

SCHEMES = ("redis", "rediss")

_TRIED_AGAIN_AFTER = 5.0
_SOON = 0.01

_Given = TypeVar("_Given")


class Window(Protocol):
    """At most ``requests`` in any ``window`` seconds."""

    @property
    def requests(self) -> int: ...  # noqa: D102 - told above

    @property
    def window(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Taken:
    """What the shared windows say.

    :param wait: seconds to wait; 0 if a request was counted.
    :param count: requests in the longest window, this one included.
    :param full: whether the shortest window has, by those who share it, about all that it may hold.
    """

    wait: float
    count: int = 0
    full: bool = False


class QuotaStore:
    """Keeps the windows of one account where all workers see them; thread-safe, and never raises.

    Of the library's strategies it is the moving window, for Claid's own windows slide: the moment of each request
    is kept. The sliding window *counter* is an estimate that lets more than the quota through when requests come in
    bursts, and less when they do not; a fixed window lets through twice the quota around its end.

    Every call gives ``None`` while the store cannot be used: one warning tells so, and it is tried again every 5 s.
    A call waits 0.3 s for the server at most.

    :param url: ``redis://HOST:PORT/DB``, with ``user:password@`` where needed, or ``rediss://``.
    :param base_url: with the key, what makes the account; only a digest of the two is stored.
    :param key: the API key.
    :raises ClaidValidationError: if the address is none; the message does not show it, for it may hold a password.
    """

    def __init__(self, url: str, base_url: str, key: str) -> None:
        self._url = url.strip()
        self.shown = _shown(self._url)
        self._account = hashlib.sha256(f"{base_url}\n{key}".encode()).hexdigest()[:32]
        self._lock = threading.Lock()
        self._windows: RedisWindows | None = None
        self._tried_again_at = 0.0
        self._failing = False

    def __repr__(self) -> str:
        return f"QuotaStore({self.shown!r})"

    def of(self, group: str) -> SharedWindows:
        """Give the windows of one group of operations."""
        return SharedWindows(self, f"airflow-claid/{self._account}/{group}")

    def ask(self, question: Callable[[RedisWindows], _Given]) -> _Given | None:
        """Ask the server; ``None`` if it cannot be asked now."""
        with self._lock:
            if time.monotonic() < self._tried_again_at:
                return None
            try:
                answer = question(self._connected())
            except ImportError:
                self._tried_again_at = math.inf
                log.warning(
                    "The quota store %s is not used: the library that it needs is missing, install "
                    "'airflow-claid[redis]'. Each worker paces its requests by Claid's answers alone.",
                    self.shown,
                )
                return None
            except Exception as error:  # noqa: BLE001 - whatever ails the store, a paid request must not fail by it
                self._fail(error)
                return None
            if self._failing:
                self._failing = False
                log.info("The quota store %s is back and used again.", self.shown)
            return answer

    def _connected(self) -> RedisWindows:
        if self._windows is None:
            from airflow_claid.client.quota.redis_windows import RedisWindows

            self._windows = RedisWindows(self._url)
        return self._windows

    def _fail(self, error: Exception) -> None:
        self._windows = None
        self._tried_again_at = time.monotonic() + _TRIED_AGAIN_AFTER
        if not self._failing:
            self._failing = True
            log.warning(
                "The quota store %s cannot be used (%s). Until it is back, each worker paces its requests by "
                "Claid's answers alone.",
                self.shown,
                type(error).__name__,
            )


class SharedWindows:
    """The shared windows of one account and one group of operations."""

    def __init__(self, store: QuotaStore, name: str) -> None:
        self._store = store
        self._name = name

    def take(self, policies: Sequence[tuple[Window, float]], left: float) -> Taken | None:
        """Count one request in all windows if it may be sent now; ``None`` if the store cannot be used.

        The longest window is looked at first, because what was counted in a shorter one cannot be taken back.

        :param policies: each with the seconds by which its window is kept longer.
        :param left: the part of each policy that may be used; the rest is left to strangers.
        """
        return self._store.ask(lambda windows: self._take(windows, policies, left))

    def add(self, policies: Sequence[Window]) -> None:
        """Count a request that is sent in any case."""
        self._store.ask(lambda windows: all(windows.add(self._key(policy), policy.window) for policy in policies))

    def policies(self) -> str | None:
        """Give the policies that another worker has learned from Claid, as it wrote them."""
        return self._store.ask(lambda windows: windows.read(f"{self._name}/policies")) or None

    def remember(self, policies: str) -> None:
        """Tell other workers the policies."""
        self._store.ask(lambda windows: windows.write(f"{self._name}/policies", policies))

    def _take(self, windows: RedisWindows, policies: Sequence[tuple[Window, float]], left: float) -> Taken:
        *shorter, (longest, slack_of_longest) = sorted(policies, key=lambda policy: policy[0].window)
        wait, count = windows.look(self._key(longest), longest.requests, longest.window + slack_of_longest)
        if count >= max(1, int(longest.requests * left)):
            return Taken(max(wait, _SOON))
        ordered = (*shorter, (longest, slack_of_longest))
        for policy, slack in ordered:
            if not windows.count(self._key(policy), policy.requests, policy.window + slack):
                wait, _ = windows.look(self._key(policy), policy.requests, policy.window + slack)
                return Taken(max(wait, _SOON))
        shortest, slack = ordered[0]
        _, recent = windows.look(self._key(shortest), shortest.requests, shortest.window + 3 * slack)
        return Taken(0.0, count + 1, recent >= shortest.requests)

    def _key(self, policy: Window) -> str:
        return f"{self._name}/{policy.window:g}"


def _shown(url: str) -> str:
    """Check an address, and give it without user and password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in SCHEMES or not re.fullmatch(r"(/[0-9]*)?", parts.path):
        raise ClaidValidationError(
            "quota_store is not an address of the form redis://HOST:PORT/DB (or rediss://); special characters of a "
            "password must be percent-encoded"
        )
    return f"{parts.scheme}://{host}:{port or 6379}{parts.path}"
