"""An Airflow that has loaded its modules: each command is a fork of it, with an environment of its own.

A command spends most of its seconds on imports. The fork runs the same entry point as the ``airflow``, ``claid`` or
``pytest`` script, on settings that it reads anew. Run as a module, this file is the process that is forked.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
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
    "airflow_claid.account_check.check",
    "airflow_claid.cli.check",
    "airflow_claid.cli.estimate",
    "airflow_claid.cli.generate",
    "airflow_claid.cli.output",
    "airflow_claid.operators.generate",
    "airflow_claid.sandbox",
    "alembic.command",
    "alembic.context",
    "anyio._backends._asyncio",
)


class WarmAirflow:
    """Runs commands one at a time.

    :param server: the process that is forked; speaks JSON, a line for each command.
    """

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(
        self, command: Sequence[str], environment: dict[str, str], seconds: float, folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder and return its exit status and what it printed.

        :param command: ``airflow``, ``claid`` or ``pytest``, and its arguments.
        :raises subprocess.TimeoutExpired: if it does not end in time; then no other command can be run.
        """
        assert self._server.stdin
        assert self._server.stdout
        with tempfile.TemporaryDirectory() as printed:
            output, errors = Path(printed) / "output", Path(printed) / "errors"
            order = {
                "command": command,
                "environment": environment,
                "folder": str(folder),
                "output": str(output),
                "errors": str(errors),
            }
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            with selectors.DefaultSelector() as answers:
                answers.register(self._server.stdout, selectors.EVENT_READ)
                if not answers.select(seconds):
                    self._server.kill()
                    raise subprocess.TimeoutExpired(list(command), seconds)
            status = int(self._server.stdout.readline())
            return subprocess.CompletedProcess(command, status, _text(output), _text(errors))


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


def _become(order: dict[str, Any]) -> NoReturn:
    """Be the command, and end with it."""
    streams = ((os.devnull, os.O_RDONLY), *((order[name], os.O_CREAT | os.O_WRONLY) for name in ("output", "errors")))
    for number, (path, mode) in enumerate(streams):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = order["command"]
    sys.path[:] = [*order["environment"].get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    status = 1
    try:
        from airflow import settings

        settings.initialize()
        sys.exit(_main(sys.argv[0])())
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


def _main(program: str) -> Callable[[], object]:
    """Return the entry point of a script."""
    (script,) = entry_points(group="console_scripts", name=program)
    main: Callable[[], object] = script.load()
    return main


if __name__ == "__main__":
    _serve()
