"""Blocking work off the triggerer's event loop, in threads of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_THREADS = 8
_R = TypeVar("_R")

_executors: dict[str, ThreadPoolExecutor] = {}
_lock = threading.Lock()


async def in_thread(room: str, work: Callable[[], _R]) -> _R:
    """Do something that blocks, in one of the few threads of a room; who comes first is served first.

    A room of its own keeps what waits for one quota, or one slow bucket, from holding up the rest. Not by
    ``asyncio.to_thread``: before Airflow 3.3 a thread of a triggerer can only ask for connections if asgiref knows the
    loop that it belongs to.
    """
    from asgiref.sync import sync_to_async

    return await sync_to_async(work, thread_sensitive=False, executor=_executor(room))()


def _executor(room: str) -> ThreadPoolExecutor:
    with _lock:
        if room not in _executors:
            _executors[room] = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"claid-{room}")
        return _executors[room]
