"""A server that answers byte for byte what it is told, also what no proper server would."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer.

    :param headers: sent as they are; a ``Content-Length`` is added unless ``length`` says otherwise.
    :param length: ``"true"`` declares the length, ``"none"`` declares none, a number declares that.
    :param cut: close the connection instead of answering.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: str | int = "true"
    cut: bool = False


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """An answer with a JSON body; ``x_request_id="1"`` becomes the header ``x-request-id: 1``."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class ScriptedServer:
    """Gives its replies one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._replies: list[Reply] = [Reply(404)]
        self._answer: Callable[[Received], Reply] | None = None
        self._lock = threading.Lock()
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.script = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def replies(self, *replies: Reply) -> None:
        """Say what to answer from now on."""
        with self._lock:
            self._replies = list(replies)

    def answers_by(self, answer: Callable[[Received], Reply]) -> None:
        """Say how to answer from now on."""
        with self._lock:
            self._answer = answer

    def take(self, received: Received) -> Reply:
        """Write a request down and give its answer."""
        with self._lock:
            self.received.append(received)
            if self._answer is not None:
                return self._answer(received)
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    script: ScriptedServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply = self.server.script.take(Received(self.command, self.path, dict(self.headers), body))
        self.close_connection = True
        if reply.cut:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        self.send_response(reply.status)
        self.send_header("Connection", "close")
        for name, text in reply.headers.items():
            self.send_header(name, text)
        if reply.length != "none":
            self.send_header("Content-Length", str(len(reply.body) if reply.length == "true" else reply.length))
        self.end_headers()
        if self.command != "HEAD":
            self._send(reply.body)

    def _send(self, body: bytes) -> None:
        try:
            self.wfile.write(body)
        except OSError:
            return

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Iterable[object]) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""
