"""The outermost layer: request ids, what no web server sends, and whether the client received the answer."""

from __future__ import annotations

import uuid
from email.utils import formatdate
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GATEWAY_TIMEOUT = (
    "<html>\n<head><title>504 Gateway Time-out</title></head>\n<body>\n<center><h1>504 Gateway Time-out</h1></center>\n"
    "<hr><center>nginx</center>\n</body>\n</html>\n"
)
Behind = WeakKeyDictionary[Any, list[Message]]


class Connection:
    """The connection of one request, below the web server.

    :param cycle: uvicorn's own record of the request.
    :param behind: the connections that are one answer behind, each with the answer that it sends next.
    """

    def __init__(self, cycle: Any, behind: Behind) -> None:
        self._cycle = cycle
        self._transport: Any = getattr(cycle, "transport", None)
        self._behind = behind
        self.sent_answer = False

    def send_and_close(self, answer: bytes) -> None:
        """Send a whole answer as it is, and close the connection."""
        self.write(answer)
        self.close()
        self.sent_answer = True

    def write(self, content: bytes) -> None:
        """Send bytes as they are."""
        self._transport.write(content)

    def close(self) -> None:
        """Close the connection after all that was written; uvicorn adds nothing."""
        self._cycle.disconnected = True
        self._transport.close()

    def abort(self) -> None:
        """Cut the connection at once."""
        self._transport.abort()

    @property
    def is_behind(self) -> bool:
        """Whether each answer is sent as the answer to the request after its own."""
        return self._transport is not None and self._transport in self._behind

    def fall_behind(self) -> None:
        """Answer the request with a gateway's 504, and each later one with the answer to the request before it."""
        gateway = Response(GATEWAY_TIMEOUT, 504, media_type="text/html")
        self._behind.setdefault(self._transport, _messages(gateway))

    def swap(self, answer: list[Message]) -> list[Message]:
        """Keep an answer for the next request; return the one to send now."""
        before = self._behind[self._transport]
        self._behind[self._transport] = answer
        return before


def connection_of(scope: Scope) -> Connection:
    """Return the connection of a request."""
    connection: Connection = scope["sandbox.connection"]
    return connection


class Envelope:
    """Add an ``x-request-id`` to each answer, and record in the ledger whether it was delivered.

    Only this layer sees uvicorn's own ``send``, which leads to the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._behind: Behind = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and watch its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cycle: Any = getattr(send, "__self__", None)
        request_id = uuid.uuid4().hex
        scope["sandbox.request_id"] = request_id
        connection = scope["sandbox.connection"] = Connection(cycle, self._behind)
        kept: list[Message] = []

        async def watching_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("date", formatdate(usegmt=True))
                if not scope.get("sandbox.tells_request_id"):
                    headers["x-request-id"] = request_id
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            if connection.is_behind:
                kept.append(message)
                for late in connection.swap(kept) if complete else ():
                    await send(late)
                return
            await send(message)
            if complete:
                connection.sent_answer = not getattr(cycle, "disconnected", False)

        try:
            await self._app(scope, receive, watching_send)
        finally:
            entry = scope.get("sandbox.entry")
            if entry is not None:
                entry.delivered = connection.sent_answer


def _messages(response: Response) -> list[Message]:
    """Return an answer as the messages that a web server sends."""
    return [
        {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers},
        {"type": "http.response.body", "body": bytes(response.body)},
    ]
