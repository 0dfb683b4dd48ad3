"""The servers that tests start are gone when the tests are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg2
import pytest
import redis

from tests.support.postgresql import database, postgresql_server
from tests.support.processes import listens
from tests.support.redis import redis_server

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import signal
import time
from urllib.parse import urlsplit
from tests.support.postgresql import postgresql_server
from tests.support.redis import redis_server

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
with postgresql_server() as postgresql, redis_server() as redis:
    print(urlsplit(postgresql).port, urlsplit(redis).port, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _no_servers_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POSTGRES_SERVER", "REDIS_SERVER"):
        monkeypatch.delenv(name, raising=False)


def test_each_server_has_a_port_of_its_own_and_ends_with_its_block() -> None:
    with redis_server() as one, redis_server() as other:
        redis.Redis.from_url(one).set("name", "one")
        assert redis.Redis.from_url(other).get("name") is None
    for url in (one, other):
        with pytest.raises(redis.ConnectionError):
            redis.Redis.from_url(url).ping()


def test_a_database_is_dropped_and_its_server_stopped_when_a_test_fails() -> None:
    addresses: list[str] = []

    def fail(server: str) -> None:
        with database(server) as address:
            addresses.append(address)
            psycopg2.connect(address)
            raise ZeroDivisionError

    def start() -> None:
        with postgresql_server() as server:
            with pytest.raises(ZeroDivisionError):
                fail(server)
            with pytest.raises(psycopg2.OperationalError, match="does not exist"):
                psycopg2.connect(addresses[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        start()
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        psycopg2.connect(addresses[0])


def test_a_server_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_SERVER", "postgresql://tester@db.example.com:5432")
    monkeypatch.setenv("REDIS_SERVER", "redis://redis.example.com:6379/3")
    with postgresql_server() as server, redis_server() as url:
        assert (server, url) == ("postgresql://tester@db.example.com:5432", "redis://redis.example.com:6379/3")


@pytest.mark.parametrize("death", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_servers_whose_tests_are_interrupted(death: signal.Signals) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        environment = {**os.environ, "TMPDIR": name}
        with subprocess.Popen(
            [sys.executable, "-c", TESTS], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        ) as tests:
            assert tests.stdout
            ports = [int(port) for port in tests.stdout.readline().split()]
            assert [listens(port) for port in ports] == [True, True]
            tests.send_signal(death)
        deadline = time.monotonic() + 20
        while any(folder.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(folder.iterdir()) == []
        assert [listens(port) for port in ports] == [False, False]
