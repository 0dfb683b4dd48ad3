"""Answers unlike the contract that many tests are interested in, by name: ``sandbox.dialect(**DIALECTS["no echo"])``.

All are answers to ``generate_image`` unless ``operation`` is replaced: ``said("a number as text", "submit_edit")``.
"""

from __future__ import annotations

from typing import Any

_ITEMS = "data.output.*"
READABLE: dict[str, dict[str, Any]] = {
    "echo left out": {"without": "data.input"},
    "echo null": {"values": {"data.input": None}},
    "echo a text": {"move": {"data.input.text": "data.input"}},
    "echo a list": {"cast": {"data.input": "list"}},
    "sizes as floats": {"cast": {f"{_ITEMS}.width": "float", f"{_ITEMS}.height": "float"}},
    "sizes as texts": {"cast": {f"{_ITEMS}.width": "text", f"{_ITEMS}.height": "text"}},
    "sizes left out": {"without": [f"{_ITEMS}.width", f"{_ITEMS}.height", f"{_ITEMS}.mps"]},
    "mps a text": {"cast": {f"{_ITEMS}.mps": "text"}},
    "format an object": {"values": {f"{_ITEMS}.format": {"type": "png"}}},
    "format null": {"values": {f"{_ITEMS}.format": None, f"{_ITEMS}.ext": None, f"{_ITEMS}.mime": None}},
    "nothing but links": {"move": {f"{_ITEMS}.tmp_url": _ITEMS}},
    "output beside data": {"move": {"data.output": "output"}},
    "no envelope": {"move": {"data": ""}},
    "unknown fields": {"values": {"meta": {"a": [1]}, "data.new": None, f"{_ITEMS}.new": {"b": 1}}},
    "a byte order mark": {"charset": "utf-8-sig"},
    "UTF-16": {"charset": "utf-16"},
    "gzip": {"compress": "gzip"},
    "a lone surrogate": {"values": {"data.input.text": "\ud800"}},
    "no content type": {"headers": {"Content-Type": None}},
    "HTML by its content type": {"headers": {"Content-Type": "text/html"}},
    "created, not OK": {"status": 201},
    "a limit of twenty digits": {"headers": {"RateLimit-Limit": "9" * 20}},
}
"""Answers in which every link is there, somewhere."""

UNREADABLE: dict[str, dict[str, Any]] = {
    "an empty body": {"body_text": ""},
    "null": {"body_text": "null"},
    "no output": {"without": "data.output"},
    "an empty list of pictures": {"values": {"data.output": []}},
    "links left out": {"without": f"{_ITEMS}.tmp_url"},
    "text": {"body_text": "OK"},
    "HTML": {"body_text": "<html>Welcome</html>", "headers": {"Content-Type": "text/html"}},
    "no content": {"status": 204},
    "bytes": {"body_base64": "//79AAE="},
    "nested too deep": {"nesting": 200_000},
}
"""Answers in which no link can be found, or that cannot be read at all."""

SIGN_IN: dict[str, Any] = {
    "operation": "download",
    "body_text": "<html><body>Please sign in.</body></html>",
    "headers": {"Content-Type": "text/html; charset=utf-8"},
    "count": 1,
}
"""A page instead of a picture, once: ``sandbox.dialect(**SIGN_IN)``."""


def redirect(location: str) -> dict[str, Any]:
    """A redirect of one download: ``sandbox.dialect(**redirect("http://127.0.0.1:9/"))``."""
    return {"operation": "download", "status": 302, "headers": {"Location": location}, "count": 1}


DIALECTS = READABLE | UNREADABLE


def said(name: str, operation: str = "generate_image") -> dict[str, Any]:
    """The fields of a named dialect for one operation: ``sandbox.dialect(**said("gzip", "submit_edit"))``."""
    return {"operation": operation, **DIALECTS[name]}
