"""An S3 that never overwrites: a proxy before one that does."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

from tests.crash.holding_proxy import HoldingProxy, _body_of

Refusal = Literal["412", "403", "must create"]
"""What it answers to a PUT of a key that is there; ``"must create"``: 403 to any without ``If-None-Match``."""

_ERRORS = {
    412: ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
    403: ("AccessDenied", "Access Denied"),
}


class WriteOnceProxy(HoldingProxy):
    """Passes requests on, except those that would overwrite or delete an object."""

    def __init__(self, upstream: str, refusal: Refusal = "403") -> None:
        super().__init__(upstream)
        self._refusal = refusal
        self.refused: list[str] = []

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        status = self._refusal_of(handler)
        if status is None:
            super()._serve(handler)
            return
        self.refused.append(f"{handler.command} {handler.path}")
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        code, message = _ERRORS[status]
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        handler.send_response_only(status)
        handler.send_header("Content-Type", "application/xml")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _refusal_of(self, handler: BaseHTTPRequestHandler) -> int | None:
        """Return the status by which a request is refused; ``None`` where it is passed on."""
        query = parse_qs(urlsplit(handler.path).query, keep_blank_values=True)
        if handler.command == "DELETE":
            return None if "uploadId" in query else 403
        puts = handler.command == "PUT" and "partNumber" not in query
        completes = handler.command == "POST" and "uploadId" in query
        if not (puts or completes) or urlsplit(handler.path).path.count("/") < 2:
            return None
        creates = handler.headers.get("If-None-Match") == "*"
        if self._is_there(urlsplit(handler.path).path):
            return 412 if creates or self._refusal == "412" else 403
        return 403 if self._refusal == "must create" and not creates else None

    def _is_there(self, path: str) -> bool:
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=30)
        connection.request("HEAD", path)
        return connection.getresponse().status != 404  # a key that is there and private is 403


@contextmanager
def write_once(upstream: str, refusal: Refusal = "403") -> Iterator[WriteOnceProxy]:
    """Start a proxy, and stop it in the end."""
    proxy = WriteOnceProxy(upstream, refusal)
    try:
        yield proxy
    finally:
        proxy.stop()


class WriteOnceGcs(HoldingProxy):
    """Passes requests to a Google Cloud Storage emulator on, except uploads of an object that is there.

    The emulator knows no preconditions: to a request that is to create the object it would have answered 412.
    """

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = _body_of(handler)
        url = urlsplit(handler.path)
        name = re.search(rb'"name": "([^"]+)"', body)
        if handler.command == "POST" and name and self._has(url.path, name[1].decode()):
            status = 412 if parse_qs(url.query).get("ifGenerationMatch") == ["0"] else 403
            message = "Object is subject to bucket's retention policy and cannot be overwritten"
            content = json.dumps({"error": {"code": status, "message": message}}).encode()
            handler.send_response_only(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
        else:
            self._give(handler, *self._ask(handler, body), None)

    def _has(self, upload_path: str, name: str) -> bool:
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=30)
        connection.request("GET", f"{upload_path.removeprefix('/upload')}/{quote(name, safe='')}")
        return connection.getresponse().status == 200
