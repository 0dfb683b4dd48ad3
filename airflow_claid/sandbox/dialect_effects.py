"""Make of an answer what its dialects say."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from collections.abc import Iterable
from http.client import responses
from typing import Any

from fastapi import Response
from starlette.types import Receive, Scope, Send

from airflow_claid.sandbox import answer_paths
from airflow_claid.sandbox.dialects import Dialect
from airflow_claid.sandbox.envelope import connection_of

log = logging.getLogger("airflow_claid.sandbox")


class RawResponse(Response):
    """An answer that is written to the connection byte by byte, whatever its headers say. It ends the connection."""

    reason: str | None = None
    told_length: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the answer and close the connection."""
        head = _status_line(self.status_code, self.reason)
        for name, value in self.raw_headers:
            head += name + b": " + value + b"\r\n"
        if not scope.get("sandbox.tells_request_id"):
            head += b"x-request-id: " + scope["sandbox.request_id"].encode() + b"\r\n"
        head += b"\r\n"
        body = b"" if scope["method"] == "HEAD" else bytes(self.body)
        connection_of(scope).send_and_close(head + body)


def apply(dialects: Iterable[Dialect], response: Response, scope: Scope, base_url: str) -> Response:
    """Return the answer as all dialects say it. Informational answers are sent at once."""
    for dialect in dialects:
        for status in dialect.informational:
            connection_of(scope).write(_status_line(status) + b"\r\n")
        if dialect.late:
            connection_of(scope).fall_behind()
        if "x-request-id" in map(str.lower, dialect.headers):
            scope["sandbox.tells_request_id"] = True
        response = _changed(dialect, response, base_url)
    return response


def _status_line(status: int, reason: str | None = None) -> bytes:
    if reason is None:
        reason = responses.get(status, "")
    return f"HTTP/1.1 {status} {reason}\r\n".encode("latin-1")


def _changed(dialect: Dialect, response: Response, base_url: str) -> Response:
    """Return the answer as one dialect says it."""
    raw_before = response if isinstance(response, RawResponse) else None
    told_length = raw_before is not None and raw_before.told_length
    status = dialect.status or response.status_code
    body = _body(dialect, bytes(response.body), base_url)
    headers = {name: value for name, value in response.headers.items() if told_length or name != "content-length"}
    if dialect.compress:
        body = gzip.compress(body, mtime=0)
        headers["content-encoding"] = "gzip"
    if status in (204, 304):
        body = b""
    changed: Response
    if dialect.is_raw or raw_before:
        changed = RawResponse(body, status, headers)
        changed.reason = raw_before.reason if raw_before and dialect.reason is None else dialect.reason
        changed.told_length = told_length or dialect.tells_length
    else:
        changed = Response(body, status, headers)
    if dialect.tells_length or (told_length and "content-length" not in headers):
        del changed.headers["content-length"]
    for name, value in dialect.headers.items():
        if value is None:
            del changed.headers[name]
        else:
            changed.headers[name] = value
    return changed


def _body(dialect: Dialect, body: bytes, base_url: str) -> bytes:
    if dialect.body_text is not None:
        body = dialect.body_text.encode("utf-8", "surrogatepass")
    elif dialect.body_json is not None:
        body = json.dumps(dialect.body_json).encode()
    elif dialect.body_base64 is not None:
        body = base64.b64decode(dialect.body_base64)
    if dialect.changes_json:
        body = _json_body(dialect, body, base_url)
    return body.decode("utf-8", "replace").encode(dialect.charset, "replace") if dialect.charset else body


def _json_body(dialect: Dialect, body: bytes, base_url: str) -> bytes:
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    if dialect.links is not None:
        answer = _relinked(answer, dialect.links, base_url)
    for old, new in dialect.move.items():
        answer = _moved(answer, old, new)
    for path, kind in dialect.cast.items():
        for place in _found(answer, path):
            answer = answer_paths.put(answer, place, _as_type(answer_paths.get(answer, place), kind))
    for path, value in dialect.values.items():
        answer = _with_value(answer, path, value)
    for path in dialect.without:
        for place in reversed(_found(answer, path)):
            answer = answer_paths.remove(answer, place)
    text = json.dumps(answer)
    if dialect.nesting:
        deep = "[" * dialect.nesting + "]" * dialect.nesting
        text = f'{{"nested": {deep}, {text[1:]}' if text.startswith('{"') else f'{{"nested": {deep}}}'
    return text.encode()


def _found(answer: Any, path: str) -> list[answer_paths.Place]:
    places = answer_paths.find(answer, path)
    if not places:
        log.warning("The answer has nothing at %r: the dialect leaves it as it is.", path)
    return places


def _moved(answer: Any, old: str, new: str) -> Any:
    """Return the answer with the values at one path moved to another."""
    moved = [(place, answer_paths.get(answer, place)) for place in _found(answer, old)]
    for place, _ in reversed(moved):
        answer = answer_paths.remove(answer, place)
    for place, value in moved:
        answer = answer_paths.put(answer, answer_paths.concrete(new, answer_paths.numbers_of(old, place)), value)
    return answer


def _with_value(answer: Any, path: str, value: Any) -> Any:
    """Return the answer with a value at a path: everywhere that its ``*`` lead to, else where it would be."""
    before, star, after = path.rpartition("*")
    if not star:
        return answer_paths.put(answer, answer_paths.concrete(path, []), value)
    for place in _found(answer, before + star):
        rest = answer_paths.concrete(after.removeprefix("."), [])
        answer = answer_paths.put(answer, (*place, *rest), value)
    return answer


def _as_type(value: Any, kind: str) -> Any:
    """Return a value as another type; a value that does not fit stays as it is."""
    if kind == "text":
        return value if isinstance(value, str) else json.dumps(value)
    if kind == "list":
        return [value]
    if kind == "object":
        return {"value": value}
    try:
        return int(value) if kind == "integer" else float(value)
    except (TypeError, ValueError):
        return value


def _relinked(value: Any, links: str, base_url: str) -> Any:
    """Return a copy in which each link to the sandbox is written as ``links`` says."""
    if isinstance(value, dict):
        return {name: _relinked(item, links, base_url) for name, item in value.items()}
    if isinstance(value, list):
        return [_relinked(item, links, base_url) for item in value]
    if isinstance(value, str) and value.startswith(f"{base_url}/"):
        path = value.removeprefix(base_url)
        return links.replace("{path}", path).replace("{base}", base_url).replace("{link}", value)
    return value
