from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.client.quota.quota import Quota
from airflow_claid.sandbox import Sandbox
from tests.support.clock import Clock
from tests.support.scripted_server import ScriptedServer

ClientOf = Callable[..., ClaidClient]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client_of(clock: Clock) -> Iterator[ClientOf]:
    """Makes clients that wait by the test's clock: ``client_of(url, max_wait=5)``."""
    made: list[ClaidClient] = []

    def make(url: str, key: str = "secret-key-1", **settings: object) -> ClaidClient:
        client = ClaidClient(key, url, **{"quota": Quota((), clock), **settings})  # type: ignore[arg-type]
        client._transport.sleep = clock.sleep
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def told(scripted: ScriptedServer, client_of: ClientOf) -> ClaidClient:
    """A client of the scripted server."""
    return client_of(scripted.url)


@pytest.fixture
def patient(sandbox: Sandbox, clock: Clock, client_of: ClientOf) -> ClaidClient:
    """A client of the sandbox that waits by the test's clock, and the sandbox with it."""
    clock._also = sandbox.advance
    return client_of(sandbox.url, sandbox.api_key)
