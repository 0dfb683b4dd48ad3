"""Connections that tell when a request is on its way: it may have waited for a new connection, or for a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.poolmanager import PoolManager, ProxyManager

_of_thread = threading.local()


@contextmanager
def telling(on_its_way: Callable[[], None]) -> Iterator[None]:
    """Have a function called each time that a request of this thread has been written, until the block ends."""
    _of_thread.on_its_way = on_its_way
    try:
        yield
    finally:
        _of_thread.on_its_way = None


def _tell() -> None:
    on_its_way = getattr(_of_thread, "on_its_way", None)
    if on_its_way is not None:
        on_its_way()


class _Connection(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        _tell()


class _SecureConnection(HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        _tell()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class TellingAdapter(HTTPAdapter):
    """requests' own adapter, with connections that tell, straight and by a proxy."""

    _POOLS: ClassVar = {"http": _Pool, "https": _SecurePool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager: PoolManager
        self.poolmanager.pool_classes_by_scheme = self._POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """Make the pools of connections to a proxy."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._POOLS
        return manager
