"""Everything that one sandbox holds, apart from HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from airflow_claid.sandbox.accounts import Accounts
from airflow_claid.sandbox.clock import Clock
from airflow_claid.sandbox.dialects import Dialects
from airflow_claid.sandbox.faults import Faults
from airflow_claid.sandbox.jobs import Jobs
from airflow_claid.sandbox.ledger import Ledger
from airflow_claid.sandbox.quota import Quota
from airflow_claid.sandbox.settings import QUOTAS, SandboxSettings
from airflow_claid.sandbox.storages import Storages
from airflow_claid.sandbox.temporary import TemporaryFiles
from airflow_claid.sandbox.webhooks import Webhooks

P = ParamSpec("P")
R = TypeVar("R")
THREADS = 8


class Service:
    """One sandbox: its keys, credits, quota, storages, jobs, webhooks, faults, dialects, temporary files and ledger."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._first_settings = settings
        self.settings = settings
        self.base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        self.clock = Clock()
        self.accounts = Accounts(settings.keys)
        self.ledger = Ledger()
        self.faults = Faults()
        self.dialects = Dialects(settings.dialects)
        self.jobs = Jobs()
        self.webhooks = Webhooks()
        self.storages = Storages(settings.storages, settings.buckets)
        self.temporary = TemporaryFiles(self.clock)
        self.quotas = self._new_quotas(self.settings)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="claid-sandbox")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._random = random.Random(0)  # noqa: S311 - only spreads latencies

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass for quotas, jobs and temporary addresses."""
        self.clock.advance(seconds)

    def change(self, **changes: Any) -> None:
        """Change settings while running. A change of a quota clears the windows of all quotas."""
        settings = replace(self.settings, **changes)
        if changes.keys() & set(QUOTAS.values()):
            self.quotas = self._new_quotas(settings)
        self.settings = settings

    def reset(self) -> None:
        """Restore settings, keys, credits and storages and dialects; clear ledger, jobs, faults and temporary files."""
        self.settings = self._first_settings
        self.faults.remove()
        self.faults.release()
        for task in list(self._tasks):
            task.get_loop().call_soon_threadsafe(task.cancel)
        self.dialects.reset()
        for part in (self.accounts, self.ledger, self.jobs, self.webhooks, self.storages, self.temporary):
            part.reset()
        self.quotas = self._new_quotas(self.settings)

    def close(self) -> None:
        """End the threads and delete the files."""
        self.webhooks.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.temporary.close()

    def stop_jobs(self) -> None:
        """Cancel the running jobs and release held answers. Call it on the event loop."""
        self.faults.release()
        for task in list(self._tasks):
            task.cancel()

    async def in_thread(self, call: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
        """Run a blocking call in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*arguments, **keywords))

    def in_background(self, task: Any) -> None:
        """Run a coroutine in the background."""
        started = asyncio.get_running_loop().create_task(task)
        self._tasks.add(started)
        started.add_done_callback(self._tasks.discard)

    async def wait_for_latency(self) -> None:
        """Wait for the latency that the settings ask for."""
        latency = self.settings.latency
        seconds = latency.seconds + self._random.uniform(-latency.spread, latency.spread)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def _new_quotas(self, settings: SandboxSettings) -> dict[str, Quota]:
        return {name: Quota(getattr(settings, setting), self.clock) for name, setting in QUOTAS.items()}
