"""A sandbox in a thread, for tests and for developing DAGs at no cost."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

from airflow_claid.sandbox.app import create_app
from airflow_claid.sandbox.dialects import Dialect
from airflow_claid.sandbox.faults import Fault
from airflow_claid.sandbox.ledger import Entry
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.settings import SCOPES, KeySettings, SandboxSettings, StorageSettings

START_SECONDS = 10.0


class SandboxServer(uvicorn.Server):
    """A uvicorn server that drops held answers and unfinished jobs when it stops."""

    def __init__(self, service: Service) -> None:
        config = uvicorn.Config(
            create_app(service),
            loop="asyncio",
            lifespan="off",
            ws="none",
            log_level="error",
            access_log=False,
            date_header=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=30,
        )
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the jobs, then the server."""
        self._service.stop_jobs()
        await super().shutdown(sockets)


def listen(service: Service) -> socket.socket:
    """Open the listening socket and set the service's base URL; port 0 becomes a free port."""
    settings = service.settings
    host = settings.host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # TCP named: asyncio sends at once
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, settings.port))
        listening.listen(1024)
    except OSError:
        listening.close()
        raise
    service.base_url = settings.public_url or _address(host, listening.getsockname()[1])
    return listening


def _address(host: str, port: int) -> str:
    """Return the address by which clients on this machine reach an interface; an IPv6 address is put in brackets."""
    visible = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{visible}]:{port}" if ":" in visible else f"http://{visible}:{port}"


class Sandbox:
    """A local Claid that runs as long as the ``with`` block.

    ::

        with Sandbox(SandboxSettings(quota="1000/1")) as sandbox:
            requests.post(f"{sandbox.url}/v1/image/generate", json={"input": "a red bicycle"},
                          headers={"Authorization": f"Bearer {sandbox.api_key}"})
            assert sandbox.charged() == 4

    :param settings: see :class:`SandboxSettings`. By default it behaves like the real Claid, without latency.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings: SandboxSettings = settings or SandboxSettings()
        self.service = Service(self.settings)
        self._server = SandboxServer(self.service)
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    def start(self) -> Sandbox:
        """Start the server; return when it accepts requests."""
        try:
            self._socket = listen(self.service)
        except OSError:
            self.service.close()
            raise
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="claid-sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                self.stop()
                raise RuntimeError("The sandbox did not start.")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop the server, end the threads and delete temporary files."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(START_SECONDS)
        if self._socket is not None:
            self._socket.close()
        self.service.close()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base address, such as ``http://127.0.0.1:41234``; without ``/v1``."""
        return self.service.base_url

    @property
    def api_key(self) -> str:
        """The first key of the settings."""
        return self.settings.keys[0].key

    def ledger(self, operation: str | None = None) -> list[Entry]:
        """Return the requests and their charges, oldest first: of one operation (``generate_image``, …) or of all."""
        return self.service.ledger.entries(operation)

    def charged(self) -> float:
        """Return the credits charged since the start or the last reset."""
        return self.service.ledger.charged()

    def fault(self, kind: str, **conditions: Any) -> int:
        """Add a fault; return its number.

        It strikes once by default, three times with ``count=3``, sometimes with ``probability=0.1``, always with
        ``probability=1``.

        :param kind: ``latency``, ``429``, ``500``, ``502``, ``empty``, ``truncated``, ``slow``, ``huge``, ``cut``,
            ``hold``, ``job_error``, ``job_stuck``, ``job_status``; for downloads ``truncated``,
            ``huge``, ``slow``, ``expired``, ``cut``.
        :param conditions: the other fields of :class:`airflow_claid.sandbox.faults.Fault`: ``operation``, ``prompt``,
            ``count``, ``probability``, ``seed``, ``charged``, ``seconds``, ``status``.
        """
        return self.service.faults.add(Fault(kind, **conditions))

    def clear_faults(self) -> None:
        """Remove all faults. Held answers stay held."""
        self.service.faults.remove()

    def dialect(self, **fields: Any) -> int:
        """Let answers differ from the contract from now on; return the number of the dialect.

        ::

            sandbox.dialect(operation="generate_image", without="data.input")

        :param fields: the fields of :class:`airflow_claid.sandbox.Dialect`.
        """
        return self.service.dialects.add(Dialect(**fields))

    def clear_dialects(self) -> None:
        """Remove all dialects."""
        self.service.dialects.remove()

    @property
    def held(self) -> int:
        """The number of answers that ``hold`` faults hold now."""
        return self.service.faults.held

    def release(self) -> int:
        """Release all held answers; return how many there were."""
        return self.service.faults.release()

    def reset(self) -> None:
        """Restore settings, keys, credits, storages and dialects; clear ledger, faults, jobs and temporary files."""
        self.service.reset()

    def change(self, **settings: Any) -> None:
        """Change settings while running: ``quota``, ``latency``, ``ttl``, ``webhook_url`` and others."""
        self.service.change(**settings)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass for quotas, jobs and temporary addresses, without waiting."""
        self.service.advance(seconds)

    def connect_storage(
        self,
        name: str,
        *,
        bucket: str,
        type: str = "s3",  # noqa: A002 - Claid's own word
        path: str = "",
        where: str | Path | None = None,
        access_key: str = "sandbox",
        secret_access_key: str = "sandbox-secret",  # noqa: S107 - opens nothing
    ) -> int:
        """Connect a storage; return its id.

        :param name: NAME in ``storage://NAME/…``.
        :param bucket: the bucket's name (a base URL for ``web_folder``).
        :param type: ``s3`` (default), ``gcs`` or ``web_folder``.
        :param path: prefix of every path in it; empty by default.
        :param where: endpoint (``http://…``) or local folder of the bucket; by default, as ``buckets`` of the settings.
        :param access_key: access key for an endpoint that needs one.
        :param secret_access_key: its secret.
        """
        if where is not None:
            self.service.storages.locate(bucket, str(where))
        settings = StorageSettings(name, bucket, type, path, access_key, secret_access_key)
        return self.service.storages.connect(settings).id

    def add_key(self, key: str, *, scopes: frozenset[str] | set[str] = SCOPES, credits: float = 1_000_000.0) -> None:  # noqa: A002
        """Accept another key, with these scopes (all by default) and credits (a million by default)."""
        self.service.accounts.add(replace(KeySettings(key), scopes=frozenset(scopes), credits=credits))
