from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator

import pytest
import requests

from airflow_claid.client.connections import Exchange, WatchingAdapter, watching
from tests.support.clock import Clock
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.socket_server import Caller, SocketServer, answer


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", WatchingAdapter())
        yield session


def test_each_request_of_this_thread_is_told_when_it_is_written(
    session: requests.Session, scripted: ScriptedServer
) -> None:
    scripted.replies(Reply(200, b"{}"))
    heard: list[str] = []

    def of_another_thread() -> None:
        session.get(f"{scripted.url}/other", timeout=5)

    with watching(Exchange(lambda: heard.append("told"))) as exchange:
        assert not exchange.begun
        session.get(f"{scripted.url}/first", timeout=5)
        assert exchange.begun
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
    with watching(Exchange(lambda: heard.append("told"))) as exchange:
        session.get("http://claid.invalid/v1", proxies={"http": scripted.url}, timeout=5)
    assert heard == ["told"]
    assert exchange.begun
    assert [one.path for one in scripted.received] == ["http://claid.invalid/v1"]


def test_a_request_that_was_never_written_is_not_told(session: requests.Session) -> None:
    heard: list[str] = []
    exchange = Exchange(lambda: heard.append("told"))
    with watching(exchange), pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:1/", timeout=5)
    assert heard == []
    assert not exchange.begun


def test_what_is_sent_to_a_proxy_that_refuses_the_way_is_no_part_of_the_request(session: requests.Session) -> None:
    session.mount("https://", WatchingAdapter())
    asked: list[bytes | None] = []

    def refuse(caller: Caller) -> None:
        asked.append(caller.request())
        caller.say(answer(b"", "407 Proxy Authentication Required"))

    exchange = Exchange(lambda: None)
    with SocketServer(refuse) as proxy, watching(exchange), pytest.raises(requests.exceptions.ProxyError):
        session.get("https://claid.invalid/v1", proxies={"https": proxy.url}, timeout=5)
    assert asked[0] is not None
    assert asked[0].startswith(b"CONNECT claid.invalid:443")
    assert not exchange.begun


def test_an_answer_that_drips_ends_when_its_time_is_over(session: requests.Session) -> None:
    clock, written = Clock(), threading.Event()

    def drip(caller: Caller) -> None:
        caller.request()
        written.wait(10)
        caller.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(200):
            caller.say(b"x")
            clock.sleep(1)

    exchange = Exchange(written.set, 60, clock=clock)
    with SocketServer(drip) as server, watching(exchange), pytest.raises(requests.RequestException):
        session.get(server.url, timeout=30)
    assert exchange.begun


def test_headers_that_drip_end_when_their_time_is_over(session: requests.Session) -> None:
    clock, written = Clock(), threading.Event()

    def drip(caller: Caller) -> None:
        caller.request()
        written.wait(10)
        caller.say(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"HTTP/1.1 200 OK\r\n")
        for number in range(90):
            caller.say(f"X-{number}: y\r\n".encode())
            clock.sleep(1)

    with (
        SocketServer(drip) as server,
        watching(Exchange(written.set, 20, clock=clock)),
        pytest.raises(requests.RequestException, match=r"timed out"),
    ):
        session.get(server.url, timeout=30)


def test_a_large_upload_has_more_time_than_a_connection(
    session: requests.Session, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.replies(Reply(200, b"{}"))
    times: list[float | None] = []
    send = http.client.HTTPConnection.send

    def noted(connection: http.client.HTTPConnection, data: object) -> None:
        times.append(connection.sock.gettimeout())
        send(connection, data)  # type: ignore[arg-type]

    monkeypatch.setattr(http.client.HTTPConnection, "send", noted)
    with watching(Exchange(lambda: None, write_timeout=120)):
        session.post(scripted.url, data=b"x" * 100_000, timeout=(3, 7))
    assert set(times) == {120}


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "429 Too Many Requests"])
def test_a_connection_that_is_in_step_is_used_again(session: requests.Session, status: str) -> None:
    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            caller.say(answer(b"{}", status))

    with SocketServer(talk) as server:
        for _ in range(3):
            assert session.get(server.url, timeout=5).content == b"{}"
        assert server.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        answer(b"{}", "504 Gateway Timeout"),
        answer(b"{}", "404 Not Found"),
        answer(b"", "302 Found", "Location: /"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_a_connection_that_may_be_out_of_step_is_closed(session: requests.Session, said: bytes) -> None:
    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            caller.say(said)

    with SocketServer(talk) as server:
        for _ in range(3):
            with session.get(server.url, timeout=5, allow_redirects=False, stream=True) as response:
                response.raw.read()
        assert server.connections == 3


def test_endless_interim_answers_are_no_answer(session: requests.Session) -> None:
    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            caller.say(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)

    exchange = Exchange(lambda: None)
    with SocketServer(talk) as server, watching(exchange), pytest.raises(requests.RequestException):
        session.get(server.url, timeout=5)
    assert exchange.begun
