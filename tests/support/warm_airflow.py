"""An Airflow that has loaded its modules: each command is a fork of it, with an environment of its own.

A command spends most of its seconds on imports. The fork runs the same entry point as the ``airflow``, ``claid`` or
``pytest`` script, on settings that it reads anew; but what modules read of the settings when they are imported stays as
it was then. Run as a module, this file is the process that is forked.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn

from setproctitle import setproctitle

import airflow_claid

_LOADED = (
    "a2wsgi",
    "airflow.__main__",
    "airflow.cli.commands.api_server_command",
    "airflow.cli.commands.connection_command",
    "airflow.cli.commands.dag_command",
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.db_command",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.collection",
    "airflow.executors.local_executor",
    "airflow.providers.standard.decorators.python",
    "airflow.sdk.execution_time.task_runner",
    "airflow.utils.db",
    "airflow.utils.serve_logs",
    "airflow_claid.sandbox",
    "alembic.command",
    "alembic.context",
    "anyio._backends._asyncio",
    "jinja2.ext",
    "upath.implementations.local",
)
_LOADED_IF_INSTALLED = (
    "airflow.providers.amazon.aws.assets.s3",
    "airflow.providers.amazon.aws.fs.s3",
    "airflow.providers.google.assets.gcs",
    "airflow.providers.google.cloud.fs.gcs",
)
"""What a task imports before it does anything: it asks every provider for its kinds of places."""
_NOT_LOADED = ("airflow_claid.sandbox.", "airflow_claid.testing")


class WarmAirflow:
    """Runs commands one at a time, and services beside them.

    :param server: the process that is forked; speaks JSON, a line for each command.
    """

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self.server = server

    def run(
        self, command: Sequence[str], environment: dict[str, str], seconds: float, folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder and return its exit status and what it printed.

        :param command: ``airflow``, ``claid`` or ``pytest``, and its arguments.
        :raises subprocess.TimeoutExpired: if it does not end in time; then no other command can be run.
        """
        with tempfile.TemporaryDirectory() as printed:
            output, errors = Path(printed) / "output", Path(printed) / "errors"
            status = self._order(command, environment, folder, output, errors, seconds=seconds, waited=True)
            return subprocess.CompletedProcess(command, status, _text(output), _text(errors))

    def start(self, command: Sequence[str], environment: dict[str, str], folder: Path, output: Path) -> int:
        """Start a command that goes on, in a folder, and return its process id.

        :param output: the file to which all is added that it prints.
        """
        return self._order(command, environment, folder, output, output, seconds=300, waited=False)

    def _order(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        folder: Path,
        output: Path,
        errors: Path,
        *,
        seconds: float,
        waited: bool,
    ) -> int:
        assert self.server.stdin
        assert self.server.stdout
        order = {
            "command": command,
            "environment": environment,
            "folder": str(folder),
            "output": str(output),
            "errors": str(errors),
            "waited": waited,
        }
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        with selectors.DefaultSelector() as answers:
            answers.register(self.server.stdout, selectors.EVENT_READ)
            if not answers.select(seconds):
                self.server.kill()
                raise subprocess.TimeoutExpired(list(command), seconds)
        return int(self.server.stdout.readline())


@contextmanager
def warm_airflow(environment: dict[str, str], home: Path, *, services: bool = False) -> Iterator[WarmAirflow]:
    """Load Airflow, and keep it until the block ends.

    :param environment: in which it is loaded; ``AIRFLOW_HOME`` and ``airflow.cfg`` are the same for all commands.
    :param services: whether it is for services; all of them are then in one process group, whose leader is the server.
    """
    command = [sys.executable, "-m", __spec__.name, *(["services"] if services else [])]
    with subprocess.Popen(
        command,
        env=environment,
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=services,
    ) as server:
        try:
            yield WarmAirflow(server)
        finally:
            server.kill()


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _load(services: bool) -> None:
    """Import what commands import; no thread is started.

    :param services: if not, the API is built against which ``dags test`` runs tasks.
    """
    for module in _LOADED:
        importlib.import_module(module)
    own = pkgutil.walk_packages(airflow_claid.__path__, "airflow_claid.")
    for module in (*_LOADED_IF_INSTALLED, *(one.name for one in own if not one.name.startswith(_NOT_LOADED))):
        with suppress(ImportError):
            importlib.import_module(module)
    importlib.import_module("sqlalchemy.orm").configure_mappers()
    if not services:
        supervisor = importlib.import_module("airflow.sdk.execution_time.supervisor")
        asyncio.run(_build(supervisor.in_process_api_server().app))
    gc.collect()
    gc.freeze()


async def _build(app: Any) -> None:
    """Have the API make its routes, which it does for the first request."""
    transport = importlib.import_module("httpx").ASGITransport(app)
    await transport.handle_async_request(importlib.import_module("httpx").Request("GET", "http://in-process/none"))


def _serve(services: bool) -> None:
    """Fork for each command, and tell its exit status when it has ended; of one that goes on, its process id."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _load(services)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            os.close(answers.fileno())
            if order["waited"]:
                os.setpgrp()
            _become(order)
        told = _ended(child) if order["waited"] else child
        answers.write(f"{told}\n")
        answers.flush()


def _ended(command: int) -> int:
    """Wait for the end of a command, end what it has started and left behind, and return its exit status."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    finally:
        with suppress(ProcessLookupError, PermissionError):  # macOS forbids it where none is left
            os.killpg(command, signal.SIGKILL)


def _become(order: dict[str, Any]) -> NoReturn:
    """Be the command, and end with it."""
    added = os.O_CREAT | os.O_APPEND | os.O_WRONLY
    streams = ((os.devnull, os.O_RDONLY), (order["output"], added), (order["errors"], added))
    for number, (path, mode) in enumerate(streams):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    if sys.platform != "darwin":
        setproctitle(" ".join(order["command"]))
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
    _serve("services" in sys.argv)
