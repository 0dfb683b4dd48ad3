from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import requests

from airflow_claid.client.connections import NotifyingAdapter, notifying
from tests.support.scripted_server import Reply, ScriptedServer


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", NotifyingAdapter())
        yield session


def test_each_request_of_this_thread_is_told_when_it_is_written(
    session: requests.Session, scripted: ScriptedServer
) -> None:
    scripted.replies(Reply(200, b"{}"))
    heard: list[str] = []

    def of_another_thread() -> None:
        session.get(f"{scripted.url}/other", timeout=5)

    with notifying(lambda: heard.append("told")):
        session.get(f"{scripted.url}/first", timeout=5)
        session.post(f"{scripted.url}/second", json={"input": "A lamp"}, timeout=5)
        other = threading.Thread(target=of_another_thread)
        other.start()
        other.join()
    session.get(f"{scripted.url}/after", timeout=5)
    assert heard == ["told", "told"]
    assert [one.path for one in scripted.received] == ["/first", "/second", "/other", "/after"]


def test_what_goes_by_a_proxy_is_told_too(session: requests.Session, scripted: ScriptedServer) -> None:
    scripted.replies(Reply(200, b"{}"))
    heard: list[str] = []
    with notifying(lambda: heard.append("told")):
        session.get("http://claid.invalid/v1", proxies={"http": scripted.url}, timeout=5)
    assert heard == ["told"]
    assert [one.path for one in scripted.received] == ["http://claid.invalid/v1"]


def test_a_request_that_was_never_written_is_not_told(session: requests.Session) -> None:
    heard: list[str] = []
    with notifying(lambda: heard.append("told")), pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:1/", timeout=5)
    assert heard == []
