"""Nothing sent is nothing paid; and each request gets its own answer, or none."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import zlib
from pathlib import Path

import pytest

from airflow_claid.client import (
    ClaidAnswerLostError,
    ClaidClient,
    ClaidError,
    ClaidNotSentError,
    ClaidRequestError,
    ClaidServerError,
    ClaidValidationError,
    GenerateRequest,
)
from airflow_claid.client import session as session_module
from airflow_claid.client.calls import generation
from airflow_claid.client.session import Session
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer, as_json
from tests.support.socket_server import Caller, SocketServer, answer
from tests.unit.client.conftest import ClientOf

PASSWORD = "proxy-pass-w0rd"


def generated(number: int) -> bytes:
    link = f"https://dl.claid.ai/{number}.png"
    return json.dumps({"data": {"input": {"text": "a red bicycle"}, "output": [{"tmp_url": link}]}}).encode()


def numbers_of(client: ClaidClient, count: int) -> list[str | None]:
    """The number in each answer; ``None`` where the answer is lost."""
    numbers: list[str | None] = []
    for _ in range(count):
        try:
            link = client.generate_image("a red bicycle").output[0].tmp_url or ""
            numbers.append(link.removeprefix("https://dl.claid.ai/").removesuffix(".png"))
        except ClaidAnswerLostError:
            numbers.append(None)
    return numbers


def error_of(client: ClaidClient) -> ClaidError:
    with pytest.raises(ClaidError) as caught:
        client.generate_image("a red bicycle")
    return caught.value


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 199 Whatever\r\n\r\n" * 5,
    ],
)
def test_after_interim_answers_each_request_gets_its_own_answer(client_of: ClientOf, interim: bytes) -> None:
    count = itertools.count(1)

    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            caller.say(interim)
            caller.say(answer(generated(next(count))))

    with SocketServer(talk) as server:
        assert numbers_of(client_of(server.url), 4) == ["1", "2", "3", "4"]
        assert server.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nX-Trailer: y\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nX-Length: %x\r\n\r\n%b",
        b"HTTP/1.1 201 \r\nContent-Length: 0%x;\r\nConnection: close\r\n\r\n%b",
    ],
)
def test_an_answer_is_whole_however_its_length_is_said(client_of: ClientOf, said: bytes) -> None:
    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            caller.say(said % (len(generated(1)), generated(1)))
            if b"chunked" not in said:
                break  # the end of the connection says where the answer ends

    with SocketServer(talk) as server:
        assert numbers_of(client_of(server.url), 2) == ["1", "1"]


def test_a_switch_of_protocols_is_a_lost_answer(client_of: ClientOf) -> None:
    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            caller.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + answer(generated(1)))

    with SocketServer(talk) as server:
        error = error_of(client_of(server.url))
        assert isinstance(error, ClaidServerError)
        assert error.may_have_been_charged


@pytest.mark.parametrize("status", ["504 Gateway Timeout", "502 Bad Gateway", "408 Request Timeout", "404 Not Found"])
def test_an_answer_that_a_gateway_passes_on_too_late_is_nobodys(client_of: ClientOf, status: str) -> None:
    """The late answer is said when the next request has begun, where no check for stray bytes can see it."""
    count = itertools.count(1)

    def talk(caller: Caller) -> None:
        late = b""
        while caller.request() is not None:
            number = next(count)
            if number == 1:
                caller.say(answer(b"{}", status))
                late = answer(generated(number))
            else:
                caller.say(late + answer(generated(number)))

    with SocketServer(talk) as server:
        client = client_of(server.url)
        error_of(client)
        assert numbers_of(client, 3) == ["2", "3", "4"]


def test_an_answer_after_a_timeout_is_nobodys(client_of: ClientOf) -> None:
    count = itertools.count(1)
    released = threading.Event()

    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            number = next(count)
            if number == 1:
                released.wait(10)
            caller.say(answer(generated(number)))

    with SocketServer(talk) as server:
        client = client_of(server.url, read_timeout=0.2)
        assert numbers_of(client, 1) == [None]
        released.set()
        assert numbers_of(client, 3) == ["2", "3", "4"]


def test_an_answer_larger_than_any_of_claids_is_not_read_to_its_end(client_of: ClientOf) -> None:
    said = 0

    def talk(caller: Caller) -> None:
        nonlocal said
        caller.request()
        caller.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            if not caller.say(b"x" * 1_000_000):
                return
            said += 1

    with SocketServer(talk) as server:
        error = error_of(client_of(server.url))
    assert isinstance(error, ClaidAnswerLostError)
    assert "more than 16 MB" in str(error)
    assert error.may_have_been_charged
    assert said < 100


def test_a_redirect_is_not_parsed(client_of: ClientOf, scripted: ScriptedServer) -> None:
    scripted.replies(Reply(302, b"moved", {"Location": "http://["}))
    assert isinstance(error_of(client_of(scripted.url)), ClaidRequestError)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "raw deflate", "not gzip at all"])
def test_a_compression_that_nobody_asked_for_is_undone(
    client_of: ClientOf, scripted: ScriptedServer, encoding: str
) -> None:
    raw = zlib.compressobj(wbits=-15)
    content = {
        "gzip": gzip.compress(generated(1)),
        "x-gzip": gzip.compress(generated(1)),
        "deflate": zlib.compress(generated(1)),
        "raw deflate": raw.compress(generated(1)) + raw.flush(),
        "not gzip at all": generated(1),
    }[encoding]
    name = {"raw deflate": "deflate", "not gzip at all": "gzip"}.get(encoding, encoding)
    scripted.replies(Reply(200, content, {"Content-Encoding": name}))
    assert numbers_of(client_of(scripted.url), 1) == ["1"]
    assert scripted.received[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit-Limit": "9" * 20 + ", " + "9" * 20 + ";w=60"},
        {"RateLimit-Limit": "9" * 5000 + ";w=" + "9" * 5000},
        {"RateLimit-Limit": "-1, -1;w=-1, 0;w=0"},
        {"RateLimit-Limit": "4, 4;w=1", "RateLimit-Remaining": "-" + "9" * 400, "RateLimit-Reset": "nan"},
        {"RateLimit-Limit": "\xb2, \xb2;w=\xb9", "RateLimit-Remaining": "\xb2", "RateLimit-Reset": "inf"},
        {"x-request-id": "\xff\x80" * 5000},
        {"Content-Type": "\xff; charset=none"},
        {"Content-Encoding": "br, zstd"},
        {"Set-Cookie": "\xff=; Domain=["},
        {"Retry-After": "9" * 5000},
    ],
)
def test_no_header_stands_between_a_paid_answer_and_its_return(
    client_of: ClientOf, scripted: ScriptedServer, headers: dict[str, str]
) -> None:
    scripted.replies(Reply(200, generated(1), headers))
    client = ClaidClient("key-of-headers", scripted.url)
    assert numbers_of(client, 1) == ["1"]
    client.close()


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + generated(1),
        generated(1).decode().encode("utf-16"),
        generated(1).decode().encode("utf-32-be"),
        b'{"data": {"output": [{"tmp_url": "https://dl.claid.ai/\\ud800.png"}]}}',
        b"[" * 200_000 + b"]" * 200_000,
        b'{"data": ' * 200_000,
        b"\xff\xfe\xfd\x00",
        b"9" * 5000,
        b"",
        b"null",
        bytes(range(256)) * 40,
    ],
)
def test_a_paid_answer_is_returned_byte_for_byte_whatever_it_holds(
    told: ClaidClient, scripted: ScriptedServer, content: bytes
) -> None:
    scripted.replies(Reply(200, content, {"Content-Type": "application/json; charset=x"}))
    answered = told.send(generation(GenerateRequest.of("a red bicycle")))
    assert answered.content == content
    assert len(scripted.received) == 1


def test_a_quota_that_raises_loses_no_answer(
    told: ClaidClient, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OverflowError("too many")

    monkeypatch.setattr(told._transport.quota, "observe", broken)
    scripted.replies(Reply(200, generated(1)))
    assert numbers_of(told, 1) == ["1"]


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError, OverflowError, AttributeError, MemoryError])
def test_an_unknown_error_after_the_first_byte_may_have_been_charged(
    told: ClaidClient, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(*_: object) -> None:
        raise error("of nobody knows what")

    monkeypatch.setattr(session_module, "_decoded", broken)
    scripted.replies(Reply(200, generated(1)))
    caught = error_of(told)
    assert isinstance(caught, ClaidAnswerLostError)
    assert caught.may_have_been_charged
    assert caught.__context__ is None
    assert len(scripted.received) == 1


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError, OverflowError, AttributeError, MemoryError])
def test_an_unknown_error_before_the_first_byte_was_not_charged(
    told: ClaidClient, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error("of nobody knows what")

    monkeypatch.setattr(told._transport._session._adapter, "send", broken)
    caught = error_of(told)
    assert isinstance(caught, (ClaidNotSentError, ClaidValidationError))
    assert not caught.may_have_been_charged
    assert "Nothing was sent, nothing was charged." in str(caught)
    assert caught.__context__ is None
    assert scripted.received == []


def test_certificates_that_are_not_there_are_named(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    error = error_of(client_of("https://claid.invalid"))
    assert isinstance(error, ClaidValidationError)
    assert "nothing.pem" in str(error)
    assert "REQUESTS_CA_BUNDLE" in str(error)
    assert not error.may_have_been_charged


def test_a_header_that_cannot_be_sent_is_not_sent(told: ClaidClient, scripted: ScriptedServer) -> None:
    for name in ("a\nb", "\u2028"):
        told._transport._session._headers["User-Agent"] = name
        assert isinstance(error_of(told), ClaidValidationError)
    assert scripted.received == []


@pytest.mark.parametrize(
    "base", ["http://claid..example", "http://" + "a" * 64 + ".example", "http://claid.example:99999"]
)
def test_an_address_that_cannot_be_parsed_is_not_sent(client_of: ClientOf, base: str) -> None:
    with pytest.raises(ClaidError) as caught:
        client_of(base).generate_image("a red bicycle")
    assert not caught.value.may_have_been_charged


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_be_reached_is_named_without_its_password(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    port = free_port()
    monkeypatch.setenv(f"{scheme}_proxy", f"http://user:{PASSWORD}@127.0.0.1:{port}")
    error = error_of(client_of(f"{scheme}://claid.invalid"))
    assert isinstance(error, ClaidNotSentError)
    assert f"through the proxy http://127.0.0.1:{port}" in str(error)
    assert PASSWORD not in str(error)
    assert not error.may_have_been_charged


def test_a_proxy_that_refuses_the_way_is_named(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(caller: Caller) -> None:
        caller.request()
        caller.say(answer(b"", "407 Proxy Authentication Required"))

    with SocketServer(refuse) as proxy:
        address = proxy.url
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", f"//user:{PASSWORD}@"))
        error = error_of(client_of("https://claid.invalid"))
    assert isinstance(error, ClaidNotSentError)
    assert f"through the proxy {address}" in str(error)
    assert "407" in str(error)
    assert not error.may_have_been_charged


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://user:{PASSWORD}/x@proxy.example:3128",
        f"http://user:{PASSWORD} y@proxy.example:port",
        f"http://user:{PASSWORD}@[proxy",
        f"http://user:{PASSWORD}@",
        f"user:{PASSWORD}@proxy example:1:2",
    ],
)
def test_a_proxy_that_is_no_address_is_not_taken_for_the_base_url(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    error = error_of(client_of("http://claid.invalid", max_wait=0))
    assert "proxy" in str(error)
    assert "base_url=" not in str(error)
    assert PASSWORD not in str(error)
    assert not error.may_have_been_charged


def test_a_library_that_a_socks_proxy_needs_is_named(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    from requests import adapters

    def missing(*_: object, **__: object) -> None:
        raise adapters.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(adapters, "SOCKSProxyManager", missing)
    monkeypatch.setenv("http_proxy", f"socks5h://user:{PASSWORD}@127.0.0.1:1080")
    error = error_of(client_of("http://claid.invalid"))
    assert isinstance(error, ClaidValidationError)
    assert "pip install 'requests[socks]'" in str(error)
    assert "socks5h://127.0.0.1:1080" in str(error)
    assert PASSWORD not in str(error)


def test_a_request_goes_through_a_socks_proxy(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def socks(caller: Caller) -> None:
        assert caller.take(3) == b"\x05\x01\x00"
        caller.say(b"\x05\x00")
        head = caller.take(5)
        asked.append(caller.take(head[4] + 2)[:-2])
        caller.say(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        while (request := caller.request()) is not None:
            asked.append(request.split(b"\r\n")[0])
            caller.say(answer(generated(1)))

    with SocketServer(socks) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http", "socks5h"))
        assert numbers_of(client_of("http://claid.invalid"), 2) == ["1", "1"]
    assert asked == [b"claid.invalid"] + [b"POST /v1/image/generate HTTP/1.1"] * 2


def test_an_address_of_ipv6_is_a_base_url(client_of: ClientOf) -> None:
    client = client_of(f"http://[::1]:{free_port()}")
    error = error_of(client)
    assert isinstance(error, ClaidNotSentError)
    assert "[::1]" in str(error)


def test_many_answers_come_over_one_connection(client_of: ClientOf) -> None:
    def talk(caller: Caller) -> None:
        while caller.request() is not None:
            caller.say(answer(generated(1)))

    with SocketServer(talk) as server:
        assert numbers_of(client_of(server.url), 5) == ["1"] * 5
        assert server.connections == 1


def test_the_time_for_a_whole_answer_is_twice_the_read_timeout(
    told: ClaidClient, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[float] = []
    exchange = session_module.Exchange

    def made(on_written: object, time_for_answer: float, **more: float) -> object:
        times.append(time_for_answer)
        return exchange(on_written, time_for_answer, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(session_module, "Exchange", made)
    scripted.replies(as_json({"data": ["s3"]}))
    told.list_storage_types()
    assert times == [240]
    assert isinstance(told._transport._session, Session)
