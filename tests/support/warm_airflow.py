"""An Airflow that has loaded its modules: each ``airflow`` command is a fork of it, with an environment of its own.

A command spends most of its seconds on imports. The fork runs the same entry point as the ``airflow`` script, on
settings that it reads anew. Run as a module, this file is the process that is forked.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

_LOADED = (
    "a2wsgi",
    "airflow.__main__",
    "airflow.cli.commands.connection_command",
    "airflow.cli.commands.dag_command",
    "airflow.cli.commands.db_command",
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.collection",
    "airflow.providers.standard.decorators.python",
    "airflow.utils.db",
    "alembic.command",
    "alembic.context",
    "anyio._backends._asyncio",
)


class WarmAirflow:
    """Runs ``airflow`` commands one at a time.

    :param server: the process that is forked; speaks JSON, a line for each command.
    """

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(
        self, arguments: tuple[str, ...], environment: dict[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and return its exit status and what it printed.

        :raises subprocess.TimeoutExpired: if it does not end in time; then no other command can be run.
        """
        assert self._server.stdin
        assert self._server.stdout
        with tempfile.TemporaryDirectory() as folder:
            output, errors = Path(folder) / "output", Path(folder) / "errors"
            command = {
                "arguments": arguments, "environment": environment, "output": str(output), "errors": str(errors)
            }  # fmt: skip
            self._server.stdin.write(json.dumps(command) + "\n")
            self._server.stdin.flush()
            with selectors.DefaultSelector() as answers:
                answers.register(self._server.stdout, selectors.EVENT_READ)
                if not answers.select(seconds):
                    self._server.kill()
                    raise subprocess.TimeoutExpired(["airflow", *arguments], seconds)
            status = int(self._server.stdout.readline())
            return subprocess.CompletedProcess(["airflow", *arguments], status, _text(output), _text(errors))


@contextmanager
def warm_airflow(environment: dict[str, str], home: Path) -> Iterator[WarmAirflow]:
    """Load Airflow, and keep it until the block ends.

    :param environment: in which it is loaded; ``AIRFLOW_HOME`` and ``airflow.cfg`` are the same for all commands.
    """
    command = [sys.executable, "-m", __spec__.name]
    with subprocess.Popen(
        command, env=environment, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            yield WarmAirflow(server)
        finally:
            server.kill()


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _load() -> None:
    """Import what commands import, and build the API against which ``dags test`` runs tasks; no thread is started."""
    for module in _LOADED:
        importlib.import_module(module)
    configure_mappers = importlib.import_module("sqlalchemy.orm").configure_mappers
    supervisor = importlib.import_module("airflow.sdk.execution_time.supervisor")
    configure_mappers()
    asyncio.run(_build(supervisor.in_process_api_server().app))


async def _build(app: Any) -> None:
    """Have the API make its routes, which it does for the first request."""
    transport = importlib.import_module("httpx").ASGITransport(app)
    await transport.handle_async_request(importlib.import_module("httpx").Request("GET", "http://in-process/none"))


def _serve() -> None:
    """Fork for each command, and tell its exit status when it has ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _load()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _become(command: dict[str, Any]) -> NoReturn:
    """Be the ``airflow`` command, and end with it."""
    streams = ((os.devnull, os.O_RDONLY), *((command[name], os.O_CREAT | os.O_WRONLY) for name in ("output", "errors")))
    for number, (path, mode) in enumerate(streams):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.argv = ["airflow", *command["arguments"]]
    status = 1
    try:
        from airflow import settings
        from airflow.__main__ import main

        settings.initialize()
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    finally:
        if sys.exc_info()[0]:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
