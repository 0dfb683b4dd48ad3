"""A reverse proxy that holds a request or its answer until told to let go, and knows which process asked."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

import psutil

Stage = Literal["request", "answer", "half of the answer"]
"""Held before it is passed on; after it was answered; after half of the answer's body was passed back."""

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-authorization"}


@dataclass
class Hold:
    """One thing to hold: the first request that matches."""

    matches: Callable[[str, str, bytes], bool]
    stage: Stage
    reached: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    pid: int | None = None
    _passes: bool = True

    def pass_on(self) -> None:
        """Let go, and pass on what was held."""
        self.let_go.set()

    def drop(self) -> None:
        """Let go, and forget what was held."""
        self._passes = False
        self.let_go.set()

    def passes(self) -> bool:
        """Wait until it is let go; tell whether to pass on what was held."""
        self.reached.set()
        self.let_go.wait()
        return self._passes

    def wait(self, seconds: float = 60.0) -> int:
        """Wait until it holds something; give the process that asked."""
        if not self.reached.wait(seconds) or self.pid is None:
            raise TimeoutError("nothing came by to be held")
        return self.pid


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients that are killed leave broken connections behind: that is the point."""


class HoldingProxy:
    """Passes requests on to ``upstream``, except what a :class:`Hold` matches."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._holds: list[Hold] = []
        self._lock = threading.Lock()
        self.last_pid: int | None = None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else a body waits 40 ms until the client acknowledges the headers

            def _pass_on(self) -> None:
                proxy._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _pass_on  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def hold(self, matches: Callable[[str, str, bytes], bool], stage: Stage) -> Hold:
        """Hold the next request for which ``matches(method, path, body)``."""
        hold = Hold(matches, stage)
        with self._lock:
            self._holds.append(hold)
        return hold

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = _body_of(handler)
        hold = self._hold_for(handler.command, handler.path, body)
        if hold:
            hold.pid = _owner(handler.client_address[1], self.port)
        try:
            if hold and hold.stage == "request" and not hold.passes():
                handler.close_connection = True
                return
            answer, content = self._ask(handler, body)
            if hold and hold.stage == "answer" and not hold.passes():
                handler.close_connection = True
                return
            self._give(handler, answer, content, hold)
        except OSError:
            handler.close_connection = True

    def _hold_for(self, method: str, path: str, body: bytes) -> Hold | None:
        with self._lock:
            for hold in self._holds:
                if hold.matches(method, path, body):
                    self._holds.remove(hold)
                    return hold
        return None

    def _ask(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=120)
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["Content-Length"] = str(len(body))
        connection.request(handler.command, handler.path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read()

    def _give(
        self, handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse, content: bytes, hold: Hold | None
    ) -> None:
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                handler.send_header(name, value)
        length = answer.getheader("Content-Length", "0") if handler.command == "HEAD" else str(len(content))
        handler.send_header("Content-Length", length)
        handler.end_headers()
        if hold and hold.stage == "half of the answer":
            handler.wfile.write(content[: len(content) // 2])
            handler.wfile.flush()
            hold.passes()
            content = content[len(content) // 2 :]
        handler.wfile.write(content)


def _body_of(handler: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in handler.headers.get("Transfer-Encoding", "").lower():
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _owner(port: int, server_port: int) -> int | None:
    """Return the process at the other end of a connection."""
    for connection in psutil.net_connections("tcp"):
        if (connection.laddr, connection.raddr) == (("127.0.0.1", port), ("127.0.0.1", server_port)):
            return connection.pid
    return None
