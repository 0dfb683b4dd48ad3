"""The outermost layer: request ids, cut connections, and whether the client received the answer."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Envelope:
    """Add an ``x-request-id`` to each answer, and record in the ledger whether it was delivered.

    Only this layer sees uvicorn's own ``send``, which is needed to cut connections.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and watch its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cycle: Any = getattr(send, "__self__", None)
        request_id = uuid.uuid4().hex
        scope["sandbox.request_id"] = request_id
        scope["sandbox.cut"] = lambda: cycle.transport.abort()
        scope["sandbox.close"] = lambda: cycle.transport.close()
        finished = False

        async def watching_send(message: Message) -> None:
            nonlocal finished
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                finished = not getattr(cycle, "disconnected", False)

        try:
            await self._app(scope, receive, watching_send)
        finally:
            entry = scope.get("sandbox.entry")
            if entry is not None:
                entry.delivered = finished
