"""Moving windows in Redis. Imported only if a store is set: needs the extra ``redis``."""

from __future__ import annotations

import math
import time
from typing import Any

from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT = 0.3
_TICKS = 50
"""Ticks a second: the library takes whole numbers as the length of a window, and 1.04 s is not one."""

_NEVER_FULL = 10**6
_CLOCK_HOLDS = 30.0
_KEPT = 24 * 3600


class RedisWindows(RedisStorage):
    """The storage of the library, with the server's clock instead of the worker's, and with fractional windows."""

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
        """Count one request in a window unless it is full; return whether it was counted."""
        arguments = [self._now(), requests, _ticks(window), 1]
        return bool(self.lua_acquire_moving_window([self.prefixed_key(key)], arguments))

    def add(self, key: str, window: float) -> bool:
        """Count one request in a window, full or not."""
        return self.count(key, _NEVER_FULL, window)

    def usage(self, key: str, requests: int, window: float) -> tuple[float, int]:
        """Return in how many seconds the oldest request leaves a window, and how many requests are in it."""
        now = self._now()
        reply = self.lua_moving_window([self.prefixed_key(key)], [now - _ticks(window), requests])
        return ((float(reply[0]) + _ticks(window) - now) / _TICKS, int(reply[1])) if reply else (0.0, 0)

    def read(self, key: str) -> str:
        """Return a stored text; empty if there is none."""
        text: Any = self.storage.get(self.prefixed_key(key))
        return text.decode() if isinstance(text, bytes) else text or ""

    def write(self, key: str, text: str) -> None:
        """Store a text for a day."""
        self.storage.set(self.prefixed_key(key), text, ex=_KEPT)

    def _now(self) -> float:
        """Return the server's time in ticks; read every half a minute, and extrapolated by our own clock in between."""
        before = time.monotonic()
        if before - self._clock_read > _CLOCK_HOLDS:
            seconds, millionths = self.storage.time()
            self._clock_read = time.monotonic()
            self._ahead = seconds + millionths / 1e6 - (before + self._clock_read) / 2
        return (time.monotonic() + self._ahead) * _TICKS


def _ticks(seconds: float) -> int:
    return math.ceil(seconds * _TICKS - 1e-6)
