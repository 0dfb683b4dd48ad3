"""Answers unlike the contract that many tests are interested in, by name.

``sandbox.dialect(**said("sizes as texts", "edit_image"))``: the same difference at the places where the answers of the
operation have it. READABLE, UNREADABLE: answers with pictures; SUBMISSIONS, LOST_SUBMISSIONS: answers with a job's id.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support import submissions

READABLE: dict[str, dict[str, Any]] = {
    "echo left out": {"without": "{echo}"},
    "echo null": {"values": {"{echo}": None}},
    "echo a text": {"move": {"{echo}.text": "{echo}"}},
    "echo a list": {"cast": {"{echo}": "list"}},
    "sizes as floats": {"cast": {"{item}.width": "float", "{item}.height": "float"}},
    "sizes as texts": {"cast": {"{item}.width": "text", "{item}.height": "text"}},
    "sizes left out": {"without": ["{item}.width", "{item}.height", "{item}.mps"]},
    "mps a text": {"cast": {"{item}.mps": "text"}},
    "format an object": {"values": {"{item}.format": {"type": "png"}}},
    "format null": {"values": {"{item}.format": None, "{item}.ext": None, "{item}.mime": None}},
    "nothing but links": {"move": {"{item}.tmp_url": "{item}"}},
    "output beside data": {"move": {"{output}": "{name}"}},
    "output in a list": {"cast": {"{output}": "list"}},
    "no envelope": {"move": {"data": ""}},
    "unknown fields": {"values": {"meta": {"a": [1]}, "data.new": None, "{item}.new": {"b": 1}}},
    "a byte order mark": {"charset": "utf-8-sig"},
    "UTF-16": {"charset": "utf-16"},
    "gzip": {"compress": "gzip"},
    "a lone surrogate": {"values": {"{echo}.note": "\ud800"}},
    "no content type": {"headers": {"Content-Type": None}},
    "HTML by its content type": {"headers": {"Content-Type": "text/html"}},
    "created, not OK": {"status": 201},
    "a limit of twenty digits": {"headers": {"RateLimit-Limit": "9" * 20}},
}
"""Answers in which every link is there, somewhere."""

UNREADABLE: dict[str, dict[str, Any]] = {
    "an empty body": {"body_text": ""},
    "null": {"body_text": "null"},
    "no output": {"without": "{output}"},
    "an empty list of pictures": {"values": {"{output}": []}},
    "links left out": {"without": "{item}.tmp_url"},
    "text": {"body_text": "OK"},
    "HTML": {"body_text": "<html>Welcome</html>", "headers": {"Content-Type": "text/html"}},
    "no content": {"status": 204},
    "bytes": {"body_base64": "//79AAE="},
}
"""Answers in which no link can be found, or that cannot be read at all."""

SUBMISSIONS: dict[str, dict[str, Any]] = {
    "id a text": {"cast": {"data.id": "text"}},
    "id a float": {"cast": {"data.id": "float"}},
    "id beside data": {"move": {"data.id": "id"}},
    "id without envelope": {"move": {"data": ""}},
    "nothing but the id": {"without": [f"data.{name}" for name in ("status", "result_url", "created_at", "request")]},
    "errors as texts": {"values": {"data.errors": ["a warning"]}},
    "time as a number": {"values": {"data.created_at": 1764158400}},
    "accepted by its status": {"status": 202},
}
"""Answers to a submission in which the job's id is there, somewhere."""

LOST_SUBMISSIONS: dict[str, dict[str, Any]] = {
    "no id": {"without": ["data.id", "data.result_url"]},
    "id null": {"values": {"data.id": None, "data.result_url": None}},
}
"""Answers to a submission without the job's id."""

TOO_DEEP: dict[str, Any] = {"nesting": 200_000}
"""Makes an answer that no JSON library reads, although all that it had is there."""

SIGN_IN: dict[str, Any] = {
    "operation": "download",
    "body_text": "<html><body>Please sign in.</body></html>",
    "headers": {"Content-Type": "text/html; charset=utf-8"},
    "count": 1,
}
"""A page instead of a picture, once: ``sandbox.dialect(**SIGN_IN)``."""

_LIST = {"echo": "data.input", "output": "data.output", "item": "data.output.*"}
_ONE = {"echo": "data.input", "output": "data.output", "item": "data.output"}
_JOB = {"echo": "data.request", "output": "data.result", "item": "data.result.output_object"}
_JOB_OF_SEVERAL = {"echo": "data.request", "output": "data.result", "item": "data.result.output_objects.*"}
_BATCH = {"echo": "data.request", "output": "data.results", "item": "data.results.*.output_object"}
PLACES: dict[str, dict[str, str]] = {
    "generate_image": _LIST,
    "create_scene": _LIST,
    "edit_image": _ONE,
    "upload_and_edit": _ONE,
    "get_edit": _JOB,
    "get_video": _JOB,
    "get_ai_edit": _JOB_OF_SEVERAL,
    "get_fashion_model": _JOB_OF_SEVERAL,
    "get_batch_edit": _BATCH,
    **{submission.operation: {} for submission in submissions.SUBMISSIONS},
}
"""Where the answers of an operation have what the dialects change."""


def readable(operation: str) -> list[str]:
    """The names in READABLE that make a difference to an operation."""
    without = {
        *(["sizes as floats", "sizes as texts", "sizes left out", "mps a text"] if operation == "get_video" else []),
        *(["echo a text"] if operation != "generate_image" else []),
    }
    return [name for name in READABLE if name not in without]


def said(name: str, operation: str = "generate_image") -> dict[str, Any]:
    """The fields of a named dialect for one operation."""
    text = json.dumps((READABLE | UNREADABLE | SUBMISSIONS | LOST_SUBMISSIONS)[name])
    places = PLACES[operation]
    for part, path in {**places, "name": places.get("output", "").rpartition(".")[2]}.items():
        text = text.replace(f"{{{part}}}", path)
    assert "{item}" not in text, f"the answers of {operation} have no pictures"
    return {"operation": operation, **json.loads(text)}


def redirect(location: str) -> dict[str, Any]:
    """A redirect of one download: ``sandbox.dialect(**redirect("http://127.0.0.1:9/"))``."""
    return {"operation": "download", "status": 302, "headers": {"Location": location}, "count": 1}
