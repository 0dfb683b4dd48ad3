"""Windows of requests that the workers of an account share in Redis."""

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

log: logging.Logger = logging.getLogger(__name__)

SCHEMES = ("redis", "rediss")

_RETRY_AFTER = 5.0
_SOON = 0.01
_NO_LIMIT = 10**9

_Reply = TypeVar("_Reply")


class Window(Protocol):
    """At most ``requests`` in any ``window`` seconds."""

    @property
    def requests(self) -> int: ...  # noqa: D102 - described above

    @property
    def window(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Taken:
    """The result of counting a request in the shared windows.

    :param wait: seconds to wait; 0 if the request was counted.
    :param count: requests in the longest window, this one included.
    :param full: whether the processes that share the shortest window have about filled it.
    """

    wait: float
    count: int = 0
    full: bool = False


class QuotaStore:
    """Keeps the windows of one account where all workers see them; thread-safe, and never raises.

    The windows record the moment of each request, because Claid's own windows slide.

    Every call returns ``None`` while the store cannot be used. It logs one warning and retries every 5 s. A call waits
    at most 0.3 s for the server.

    :param url: ``redis://HOST:PORT/DB``, with ``user:password@`` where needed, or ``rediss://``.
    :param base_url: identifies the account together with the key; only a digest of the two is stored.
    :param key: the API key.
    :raises ClaidValidationError: if the address is malformed; the message does not show it, for it may hold a password.
    """

    def __init__(self, url: str, base_url: str, key: str) -> None:
        self._url = url.strip()
        self.shown: str = shown_address(self._url)
        self._account = hashlib.sha256(f"{base_url}\n{key}".encode()).hexdigest()[:32]
        self._lock = threading.Lock()
        self._windows: RedisWindows | None = None
        self._retry_at = 0.0
        self._failing = False

    def __repr__(self) -> str:
        return f"QuotaStore({self.shown!r})"

    def of(self, group: str) -> SharedWindows:
        """Return the windows of one group of operations."""
        return SharedWindows(self, f"airflow-claid/{self._account}/{group}")

    def recall(self, name: str) -> str | None:
        """Return a text that a worker has stored; ``None`` if there is none."""
        return self.call(lambda server: server.read(f"airflow-claid/{self._account}/{name}")) or None

    def remember(self, name: str, text: str) -> None:
        """Store a text for all workers, for a day."""
        self.call(lambda server: server.write(f"airflow-claid/{self._account}/{name}", text))

    def call(self, command: Callable[[RedisWindows], _Reply]) -> _Reply | None:
        """Run a command on the server; ``None`` if the server cannot be used now."""
        with self._lock:
            if time.monotonic() < self._retry_at:
                return None
            try:
                reply = command(self._connected())
            except ImportError:
                self._retry_at = math.inf
                log.warning(
                    "The quota store %s is not used because its library is missing: install "
                    "'airflow-claid[redis]'. Each worker paces its requests by Claid's answers alone.",
                    self.shown,
                )
                return None
            except Exception as error:  # noqa: BLE001 - a paid request must not fail because of the store
                self._fail(error)
                return None
            if self._failing:
                self._failing = False
                log.info("The quota store %s is back and used again.", self.shown)
            return reply

    def _connected(self) -> RedisWindows:
        if self._windows is None:
            from airflow_claid.client.quota.redis_windows import RedisWindows

            self._windows = RedisWindows(self._url)
        return self._windows

    def _fail(self, error: Exception) -> None:
        self._windows = None
        self._retry_at = time.monotonic() + _RETRY_AFTER
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

        :param policies: each with the seconds by which its window is kept longer.
        :param left: the share of the longest window that may be used; the rest is left to foreign clients.
        """
        return self._store.call(lambda windows: self._take(windows, policies, left))

    def add(self, policies: Sequence[Window]) -> None:
        """Count a request that is sent in any case."""
        windows = [(policy.requests, policy.window) for policy in policies]
        self._store.call(lambda server: server.take(self._requests, windows, forced=True))

    def policies(self) -> str | None:
        """Return the policies that another worker has learned from Claid, as text; ``None`` if there are none."""
        return self._store.call(lambda windows: windows.read(f"{self._name}/policies")) or None

    def remember(self, policies: str) -> None:
        """Store the policies for other workers."""
        self._store.call(lambda windows: windows.write(f"{self._name}/policies", policies))

    def _take(self, server: RedisWindows, policies: Sequence[tuple[Window, float]], left: float) -> Taken:
        *_, (longest, slack_of_longest) = sorted(policies, key=lambda policy: policy[0].window)
        shortest, slack = min(policies, key=lambda policy: policy[0].window)
        windows = [(policy.requests, policy.window + slack) for policy, slack in policies]
        windows.append((max(1, int(longest.requests * left)), longest.window + slack_of_longest))
        windows.append((_NO_LIMIT, shortest.window + 3 * slack))
        wait, counts = server.take(self._requests, windows)
        if wait:
            return Taken(max(wait, _SOON))
        return Taken(0.0, counts[-2], counts[-1] >= shortest.requests)

    @property
    def _requests(self) -> str:
        return f"{self._name}/requests"


def shown_address(url: str) -> str:
    """Check an address and return it without user and password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in SCHEMES or not re.fullmatch(r"(/[0-9]*)?", parts.path):
        raise ClaidValidationError(
            "quota_store is not an address of the form redis://HOST:PORT/DB (or rediss://); special characters in a "
            "password must be percent-encoded"
        )
    return f"{parts.scheme}://{host}:{port or 6379}{parts.path}"
