"""Moving windows in Redis. Imported only if a store is set: needs the extra ``redis``."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT = 0.3
_KEPT = 24 * 3600

_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local name, entry, forced, kept = KEYS[1], ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', name, '-inf', now - kept)
redis.call('ZREMRANGEBYSCORE', name, now + 1, '+inf')
local wait, counts = 0, {}
for place = 4, #ARGV, 2 do
    local requests, window = tonumber(ARGV[place]), tonumber(ARGV[place + 1])
    local oldest = redis.call('ZREVRANGE', name, requests - 1, requests - 1, 'WITHSCORES')
    if oldest[2] then
        wait = math.max(wait, math.min(window, oldest[2] + window - now))
    end
end
if forced or wait <= 0 then
    wait = 0
    redis.call('ZADD', name, now, entry)
    redis.call('PEXPIRE', name, math.ceil(kept * 1000))
end
for place = 4, #ARGV, 2 do
    counts[#counts + 1] = redis.call('ZCOUNT', name, now - ARGV[place + 1], '+inf')
end
return {string.format('%.6f', wait), unpack(counts)}
"""
"""Counts a request in all windows unless one is full.

The moments of all requests are in one sorted set, by the server's clock. Moments in the future are from before that
clock was set back: they are dropped, and no wait is longer than its window.
"""


class RedisWindows:
    """The windows of all accounts on one server.

    :param url: of the server.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(
            url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        self._script = self._redis.register_script(_TAKE)

    def take(self, name: str, windows: Sequence[tuple[int, float]], *, forced: bool = False) -> tuple[float, list[int]]:
        """Count one request unless a window is full; return the seconds to wait, and the requests in each window.

        :param windows: requests and seconds.
        :param forced: count it even if a window is full.
        """
        kept = max(window for _, window in windows) + 1
        arguments = [uuid.uuid4().hex, int(forced), kept, *(number for window in windows for number in window)]
        wait, *counts = self._script(keys=[name], args=arguments)
        return float(wait), [int(count) for count in counts]

    def read(self, name: str) -> str:
        """Return a stored text; empty if there is none."""
        text = self._redis.get(name)
        return text.decode() if isinstance(text, bytes) else text or ""

    def write(self, name: str, text: str) -> None:
        """Store a text for a day."""
        self._redis.set(name, text, ex=_KEPT)
