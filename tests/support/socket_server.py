"""A server that speaks raw bytes, connection by connection: also what no HTTP library would send."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

Conversation = Callable[["Caller"], None]


class Caller:
    """One connection: requests are read whole, and anything may be said."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def request(self) -> bytes | None:
        """Read one request; ``None`` once the client has closed the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0]) if lengths else 0
        while len(body) < length:
            if not self._more():
                return None
            body = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = body[length:]
        return head + b"\r\n\r\n" + body[:length]

    def take(self, count: int) -> bytes:
        """Read so many bytes; fewer if the client has closed the connection."""
        while len(self._buffer) < count and self._more():
            pass
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def say(self, content: bytes) -> bool:
        """Send bytes; return whether the connection was open."""
        try:
            self._connection.sendall(content)
        except OSError:
            return False
        return True

    def _more(self) -> bool:
        try:
            part = self._connection.recv(65536)
        except OSError:
            return False
        self._buffer += part
        return bool(part)


class SocketServer:
    """Has the same conversation with each caller, in a thread of its own."""

    def __init__(self, conversation: Conversation) -> None:
        self.connections = 0
        self._conversation = conversation
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listening]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            self._conversation(Caller(connection))

    def __enter__(self) -> SocketServer:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
