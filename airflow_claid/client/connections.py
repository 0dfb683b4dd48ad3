"""Connections that say how far a request has come, and that give each request its own answer or none.

An answer may be paid for, so it must be known whether the first byte of its request was sent; and a request must never
be given the answer of another one: interim answers (1xx) are skipped, and a connection is used again only after an
answer with which its server was in step.
"""

from __future__ import annotations

import functools
import io
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.poolmanager import PoolManager, ProxyManager

_MOST_INTERIM = 20
_IN_STEP = frozenset({200, 201, 202, 429})
"""After any other status a gateway may still pass on a late answer."""

_of_thread = threading.local()


class Exchange:
    """One request and its answer, as the connection of this thread sees them.

    :param on_written: is called when the request has been written: it may have waited for a new connection before.
    :param time_for_answer: seconds from then until the answer must be there whole; how slowly it drips does not matter.
    :param write_timeout: seconds to write the request, with the picture that it uploads; by default as long as a
        connection may take, which a slow line does not keep to.
    :param clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        on_written: Callable[[], None],
        time_for_answer: float = math.inf,
        write_timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.begun = False
        """Whether the first byte may have left; before that nothing can have been charged."""
        self.write_timeout = write_timeout
        self._on_written = on_written
        self._time_for_answer = time_for_answer
        self._clock = clock
        self._ends_at = clock() + time_for_answer

    def written(self) -> None:
        """Note that the request has been written."""
        self._ends_at = self._clock() + self._time_for_answer
        self._on_written()

    def check_time(self) -> None:
        """Raise if the time for the answer is over.

        :raises TimeoutError: if it is.
        """
        if self._clock() > self._ends_at:
            raise TimeoutError(f"The answer was not there whole after {self._time_for_answer:g} s")


@contextmanager
def watching(exchange: Exchange) -> Iterator[Exchange]:
    """Tell this exchange what becomes of the request that this thread sends in the block."""
    _of_thread.exchange = exchange
    try:
        yield exchange
    finally:
        _of_thread.exchange = None


def _watched_exchange() -> Exchange | None:
    exchange: Exchange | None = getattr(_of_thread, "exchange", None)
    return exchange


class _Answer(HTTPResponse):
    """An answer that skips interim ones, ends in time, and leaves no connection that is out of step."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        exchange = _watched_exchange()
        if exchange is not None:
            self.fp: Any = io.BufferedReader(_TimedReader(self.fp.detach(), exchange))

    def begin(self, **options: Any) -> None:
        """Read the status and the headers; http.client skips interim answers of the status 100 only."""
        super().begin(**options)
        for _ in range(_MOST_INTERIM):
            if not 102 <= self.status < 200:
                break
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin(**options)
        else:
            raise HTTPException(f"More than {_MOST_INTERIM} interim answers")
        if self.status not in _IN_STEP or self._is_ambiguous():
            self.will_close = True

    def _is_ambiguous(self) -> bool:
        """Return whether two readers may disagree about where the body ends."""
        return "Content-Length" in self.headers and "Transfer-Encoding" in self.headers


class _TimedReader(io.RawIOBase):
    """Reads what comes over a socket, and stops when the exchange must end."""

    def __init__(self, raw: io.RawIOBase, exchange: Exchange) -> None:
        super().__init__()
        self._raw = raw
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        self._exchange.check_time()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Watched(HTTPConnection):
    """A connection that tells the exchange of its thread when the first byte goes out, and when the last has."""

    response_class = _Answer
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        """Send; what is sent to a proxy while it connects is not part of the request."""
        if self.sock is None:
            self.connect()
        exchange = _watched_exchange()
        if exchange is not None and not self._connecting:
            exchange.begun = True
            if exchange.write_timeout is not None:
                self.sock.settimeout(exchange.write_timeout)
        super().send(data)

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        exchange = _watched_exchange()
        if exchange is not None:
            exchange.written()


@functools.cache
def _watched(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return a pool class with watched connections of the same kind: plain, TLS, or through a SOCKS proxy."""
    kind: Any = pool.ConnectionCls
    if issubclass(kind, _Watched):
        return pool
    return type(pool.__name__, (pool,), {"ConnectionCls": type(kind.__name__, (_Watched, kind), {})})


class WatchingAdapter(HTTPAdapter):
    """The adapter of requests with watched connections, also through a proxy; for the requests of one session.

    The proxies and the certificates are the same for all requests to a host, so that each host's pool of connections is
    looked up once.
    """

    def __init__(self, **options: Any) -> None:
        self._pools: dict[tuple[str, str], ConnectionPool] = {}
        super().__init__(**options)

    def get_connection_with_tls_context(self, request: Any, *args: Any, **kwargs: Any) -> ConnectionPool:
        """Return the pool of connections for a request."""
        host = urlsplit(request.url)[:2]
        pool = self._pools.get(host)
        if pool is None:
            pool = self._pools[host] = super().get_connection_with_tls_context(request, *args, **kwargs)
        return pool

    def build_response(self, request: PreparedRequest, answer: Any) -> Response:
        """Return the answer as it came, without its cookies: nobody sends them back."""
        response = Response()
        response.status_code, response.headers, response.raw = answer.status, answer.headers, answer
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        """Close the open connections."""
        self._pools.clear()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the connection pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager: PoolManager
        _watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """Create the connection pools to a proxy."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        _watch(manager)
        return manager


def _watch(manager: PoolManager) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _watched(pool) for scheme, pool in pools.items()}
