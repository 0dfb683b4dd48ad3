"""Processes that tests start: each ends with the block that started it, whatever becomes of the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_GUARD = """
read -r _ && exit
kill -s "$1" -- "-$2"
tries=100
while kill -0 "$2" && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
kill -s KILL -- "-$2"
rm -rf -- "$3"
"""
"""Waits for a line: its input ends without one when the process that holds the other end has died."""


def package_folder(name: str) -> Path:
    """Return where a package that brings a server is installed. Nothing of it is imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"{name} is not installed: make .venv/dev-ready")
    return Path(spec.submodule_search_locations[0])


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def listens(port: int) -> bool:
    """Return whether something on this machine accepts connections on a port."""
    with socket.socket() as opened:
        return opened.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def ended_at_our_death(
    process: subprocess.Popen[Any], *, stop: signal.Signals = signal.SIGTERM, folder: Path | None = None
) -> Iterator[None]:
    """Stop a process's group if this process dies before the block ends, be it by SIGKILL.

    :param process: leader of a session of its own.
    :param stop: tells it to end; after ten seconds it is killed.
    :param folder: removed when it has ended.
    """
    command = ["sh", "-c", _GUARD, "guard", stop.name.removeprefix("SIG"), str(process.pid), str(folder or "")]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        guard.communicate(b"\n")


@contextmanager
def running(
    command: list[str], *, stop: signal.Signals = signal.SIGTERM, folder: Path | None = None, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends.

    It has a session of its own: Ctrl-C in a terminal reaches the tests alone, and they stop it when they are done.

    :param stop: tells it to end; after ten seconds it is killed.
    :param folder: what it works in, which is removed if this process dies before the block ends.
    :param options: of ``subprocess.Popen``.
    """
    process = subprocess.Popen(command, start_new_session=True, **options)
    with ended_at_our_death(process, stop=stop, folder=folder):
        try:
            yield process
        finally:
            process.send_signal(stop)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError, PermissionError):  # macOS forbids it where none is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def served(arguments: list[str], port: int, seconds: float = 60.0, **options: Any) -> Iterator[str]:
    """Run an HTTP server until the block ends, and return its address once it listens.

    :param options: of ``subprocess.Popen``.
    """
    with running(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options) as process:
        wait_for_port(process, port, seconds)
        yield f"http://127.0.0.1:{port}"


def wait_for_port(process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
    """Wait until a process listens.

    :raises RuntimeError: if it has ended, or does not listen in time.
    """
    deadline = time.monotonic() + seconds
    while not listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not listen on {port}")
        time.sleep(0.05)
