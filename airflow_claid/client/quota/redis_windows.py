"""Moving windows in a Redis. Imported only where a store is named: it needs the extra ``redis``."""

from __future__ import annotations

import math
import time
from typing import Any

from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT = 0.3
_TICKS = 50
"""Parts of a second: the library takes whole numbers as the length of a window, and 1.04 s is none."""

_NEVER_FULL = 10**6
_CLOCK_HOLDS = 30.0
_KEPT = 24 * 3600


class RedisWindows(RedisStorage):
    """The library's Redis, by the server's clock instead of the worker's, and with windows of parts of a second."""

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {
            "socket_timeout": _TIMEOUT,
            "socket_connect_timeout": _TIMEOUT,
            "retry": Retry(NoBackoff(), 0),
        }
        super().__init__(url, **options)
        self._ahead = 0.0
        self._clock_read = -math.inf

    def count(self, key: str, requests: int, window: float) -> bool:
        """Count one request in a window, unless it is full."""
        keys, told = [self.prefixed_key(key)], [self._now(), requests, _ticks(window), 1]
        return bool(self.lua_acquire_moving_window(keys, told))

    def add(self, key: str, window: float) -> bool:
        """Count one request in a window, full or not."""
        return self.count(key, _NEVER_FULL, window)

    def look(self, key: str, requests: int, window: float) -> tuple[float, int]:
        """Tell in how many seconds the oldest request leaves a window, and how many requests are in it."""
        now = self._now()
        found = self.lua_moving_window([self.prefixed_key(key)], [now - _ticks(window), requests])
        return ((float(found[0]) + _ticks(window) - now) / _TICKS, int(found[1])) if found else (0.0, 0)

    def read(self, key: str) -> str:
        """Read a text; empty if there is none."""
        found: Any = self.storage.get(self.prefixed_key(key))
        return found.decode() if isinstance(found, bytes) else found or ""

    def write(self, key: str, text: str) -> None:
        """Keep a text for a day."""
        self.storage.set(self.prefixed_key(key), text, ex=_KEPT)

    def _now(self) -> float:
        """Give the server's time in ticks; read anew every half a minute, between times told by our own clock."""
        before = time.monotonic()
        if before - self._clock_read > _CLOCK_HOLDS:
            seconds, millionths = self.storage.time()
            self._clock_read = time.monotonic()
            self._ahead = seconds + millionths / 1e6 - (before + self._clock_read) / 2
        return (time.monotonic() + self._ahead) * _TICKS


def _ticks(seconds: float) -> int:
    return math.ceil(seconds * _TICKS - 1e-6)
