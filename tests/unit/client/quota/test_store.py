from __future__ import annotations

import contextlib
import json
import logging
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import redis

from airflow_claid.client import ClaidClient, ClaidValidationError
from airflow_claid.client.quota.quota import AccountQuota, Quota
from airflow_claid.client.quota.rate_limits import Group, Policy, RateLimit
from airflow_claid.client.quota.store import QuotaStore, SharedWindows
from airflow_claid.sandbox import KeySettings, Sandbox, SandboxSettings
from tests.support.processes import free_port

POLICIES = (Policy(10, 60), Policy(4, 1))
SLACK = 0.04


@dataclass(frozen=True)
class Account:
    """An account of Claid's whose workers share its quota by a Redis."""

    redis_url: str
    key: str

    def store(self, base_url: str = "https://api.claid.ai/v1", url: str = "") -> QuotaStore:
        return QuotaStore(url or self.redis_url, base_url, self.key)

    def windows(self, group: str = "image", url: str = "") -> SharedWindows:
        return self.store(url=url).of(group)

    def names(self, base_url: str = "https://api.claid.ai/v1") -> list[str]:
        """Return the names under which the Redis has what this account's workers have counted."""
        pattern = f"airflow-claid/*{self.store(base_url)._account}*"
        return [name.decode() for name in redis.Redis.from_url(self.redis_url).scan_iter(pattern, count=1000)]

    def forget(self, base_url: str = "https://api.claid.ai/v1") -> None:
        for name in self.names(base_url):
            redis.Redis.from_url(self.redis_url).delete(name)


@pytest.fixture
def account(redis_url: str) -> Iterator[Account]:
    """An account whose traces in the Redis are removed."""
    made = Account(redis_url, f"key-{uuid.uuid4().hex}")
    yield made
    made.forget()


def take(shared: SharedWindows, left: float = 1.0) -> float | None:
    taken = shared.take([(policy, SLACK) for policy in POLICIES], left)
    return taken.wait if taken else None


def test_workers_count_together(account: Account) -> None:
    one, other = account.windows(), account.windows()
    assert [take(shared) for shared in (one, other, one, other)] == [0, 0, 0, 0]
    wait = take(one)
    assert wait is not None
    assert 0.5 < wait <= 1.04


def test_a_window_is_kept_a_little_longer_than_its_policy_says(account: Account) -> None:
    shared = account.windows()
    begun = time.monotonic()
    for _ in range(4):
        assert take(shared) == 0
    while wait := take(shared):
        time.sleep(wait)
    assert 1 + SLACK <= time.monotonic() - begun < 2


def test_what_is_left_to_strangers_is_not_taken(account: Account) -> None:
    shared = account.windows()
    assert [take(shared, 0.2), take(shared, 0.2)] == [0, 0]
    assert take(shared, 0.2)
    assert take(shared, 1.0) == 0


def test_a_request_that_is_sent_in_any_case_is_counted_even_if_the_window_is_full(account: Account) -> None:
    shared = account.windows()
    for _ in range(4):
        assert take(shared) == 0
    shared.add(POLICIES)
    larger = shared.take([(Policy(10, 60), SLACK), (Policy(6, 1), SLACK)], 1.0)
    assert larger is not None
    assert (larger.wait, larger.count) == (0, 6)
    assert take(shared)


def test_a_refused_request_is_counted_in_no_window(account: Account) -> None:
    shared = account.windows()
    for _ in range(4):
        assert take(shared) == 0
    assert all(take(shared) for _ in range(5))
    larger = shared.take([(Policy(10, 60), SLACK), (Policy(6, 1), SLACK)], 1.0)
    assert larger is not None
    assert (larger.wait, larger.count) == (0, 5)


def test_a_server_whose_clock_was_set_back_makes_nobody_wait_for_it(account: Account) -> None:
    shared = account.windows()
    assert take(shared) == 0
    server = redis.Redis.from_url(account.redis_url)
    [name] = account.names()
    seconds, _ = server.time()
    server.zadd(name, {f"entry {number}": seconds + 3600 for number in range(20)})
    assert take(shared) == 0


def test_no_wait_is_longer_than_the_window(account: Account) -> None:
    shared = account.windows()
    assert take(shared) == 0
    server = redis.Redis.from_url(account.redis_url)
    [name] = account.names()
    seconds, _ = server.time()
    server.zadd(name, {f"entry {number}": seconds + 0.9 for number in range(20)})
    wait = take(shared)
    assert wait is not None
    assert 0 < wait <= 60 + SLACK


def test_accounts_and_groups_count_apart(account: Account) -> None:
    other = Account(account.redis_url, account.key + "x")
    for shared in (account.windows(), account.windows("video"), other.windows()):
        assert [take(shared) for _ in range(4)] == [0] * 4
    other.forget()


def test_the_key_is_stored_nowhere(account: Account) -> None:
    take(account.windows())
    names = [name.decode() for name in redis.Redis.from_url(account.redis_url).keys("airflow-claid/*")]
    assert account.names()
    assert not any(account.key in name for name in names)


def test_what_one_worker_has_learned_of_the_account_another_knows_before_its_first_answer(account: Account) -> None:
    quotas = [AccountQuota(account.store()) for _ in range(2)]
    learned = RateLimit((Policy(600, 60), Policy(20, 1)), 599, 60)
    quotas[0].of(Group.IMAGE).observe(learned, quotas[0].of(Group.IMAGE).book())
    assert not quotas[1].of(Group.IMAGE).book().wait
    assert quotas[1].of(Group.IMAGE).in_force == learned.policies
    assert quotas[1].of(Group.VIDEO).in_force != learned.policies


def test_a_store_that_cannot_be_reached_is_told_once_and_each_goes_on_alone(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    shared = account.windows(url=f"redis://user:pass-word@127.0.0.1:{free_port()}/0")
    quota = Quota(POLICIES, store=shared)
    assert not quota.book().wait
    assert not Quota(POLICIES, store=shared).book().wait
    [warning] = caplog.records
    assert "cannot be used (ConnectionError)" in warning.getMessage()
    assert "pass-word" not in caplog.text + repr(shared._store)
    assert quota.book().wait


def test_a_store_that_is_back_is_used_again(
    account: Account, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_claid.client.quota.store._RETRY_AFTER", 0.0)
    caplog.set_level(logging.INFO)
    way = WayToRedis(account.redis_url)
    shared = account.windows(url=way.url)
    assert take(shared) == 0
    way.cut()
    assert (take(shared), take(shared)) == (None, None)
    way = WayToRedis(account.redis_url, way.port)
    assert take(shared) == 0
    way.cut()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "is back and used again" in caplog.text


class WayToRedis:
    """A port that leads to the Redis until it is cut."""

    def __init__(self, redis_url: str, port: int = 0) -> None:
        url = urlsplit(redis_url)
        self._redis = (url.hostname, url.port or 6379)
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listening.getsockname()[1])
        credentials, at, _ = url.netloc.rpartition("@")
        self.url = url._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}").geturl()
        self._open = [self._listening]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._redis)
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=(source, target), daemon=True).start()

    def cut(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)


def test_a_missing_library_is_told_with_the_extra_that_brings_it(
    account: Account, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "airflow_claid.client.quota.redis_windows", raising=False)
    monkeypatch.setitem(sys.modules, "redis.backoff", None)
    shared = account.windows()
    assert (take(shared), take(shared)) == (None, None)
    [warning] = caplog.records
    assert "airflow-claid[redis]" in warning.getMessage()


@pytest.mark.parametrize(
    "url", ["http://h", "redis://", "redis://h:port", "redis://:pass/word@h", "h:6379", "redis://h/x"]
)
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ClaidValidationError, match="redis://HOST:PORT/DB") as caught:
        ClaidClient("key", quota_store=url)
    assert "pass" not in str(caught.value).replace("password", "")


def test_a_client_without_a_store_imports_no_library_of_stores() -> None:
    code = (
        "import sys; from airflow_claid.client import ClaidClient; ClaidClient('key'); "
        "print([name for name in ('redis',) if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


WORKER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from airflow_claid.client import ClaidClient
url, key, store = sys.argv[1:]
with ClaidClient(key, url, quota_store=store, pool_size=8) as client, ThreadPoolExecutor(8) as pool:
    print(len(list(pool.map(lambda number: client.generate_image(f"picture {number}"), range(14)))))
"""


def test_processes_that_share_a_store_use_the_quota_of_a_real_server_together_without_a_429(account: Account) -> None:
    """In real time: 42 requests and one that asks for the quota, at 10 a second, take four pauses of a second."""
    settings = SandboxSettings(keys=(KeySettings(account.key),), quota="300/60,10/1", image_size=64)
    with Sandbox(settings) as sandbox:
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, sandbox.url, account.key, account.redis_url], stdout=subprocess.PIPE
            )
            for _ in range(3)
        ]
        try:
            done = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
        entries = sandbox.ledger("generate_image")
    assert account.names(f"{sandbox.url}/v1")
    account.forget(f"{sandbox.url}/v1")
    assert done == [14, 14, 14]
    statuses = [entry.status for entry in entries]
    assert statuses.count(200) == 42
    assert statuses.count(429) <= 1
