"""Errors from HTTP answers: every form of error that Claid, or a proxy in front of it, is known to return."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_claid.client.errors import (
    ClaidAuthenticationError,
    ClaidCreditsError,
    ClaidError,
    ClaidRateLimitError,
    ClaidRequestError,
    ClaidScopeError,
    ClaidServerError,
)
from airflow_claid.client.redaction import Redactor, without_queries

_DEFAULT_RESET = 1.0
_MOST_DETAILS = 50
_DEEPEST = 5
_READ_CHARACTERS = 20_000

_REFUSALS = frozenset({*range(400, 408), *range(409, 418), 421, 422, 423, 424, 426, 428, 429, 431, 451})
"""A gateway answers 408, 425 or 499, among others, also where Claid goes on with the request."""

_SCOPES = {"image_editing": "Image editing", "storage": "Storage"}
"""The scopes that Claid's dashboard offers, by the names that the contract has for them."""


@dataclass(frozen=True)
class Problem:
    """The content of an error answer, whatever its form."""

    message: str
    code: str | None = None
    details: dict[str, list[str]] = field(default_factory=dict)
    type: str | None = None

    @classmethod
    def read(cls, content: bytes, redact: Redactor) -> Problem:
        """Read an error's body; no secret that it repeats is kept."""
        text = content.decode("utf-8", "replace")
        try:
            problem = cls.from_body(_parsed(content), text)
        except (RecursionError, ValueError):
            problem = cls(text)
        return cls(
            redact.line(_without_tags(problem.message)) or "the answer had no text",
            redact.line(problem.code, 40) if problem.code is not None else None,
            {
                redact.line(name): [redact.line(message) for message in messages[:_MOST_DETAILS]]
                for name, messages in list(problem.details.items())[:_MOST_DETAILS]
            },
            redact.line(problem.type, 40) if problem.type is not None else None,
        )

    @classmethod
    def from_body(cls, body: object, text: str) -> Problem:
        """Read an error's parsed body.

        :param body: the parsed JSON; ``None`` where the body is not JSON (a proxy's HTML, or empty).
        :param text: the body as text.
        """
        for _ in range(_DEEPEST):
            if not isinstance(body, Mapping):
                break
            detail = body.get("detail")
            if isinstance(detail, list):
                return cls._from_fastapi(detail)
            if not isinstance(detail, Mapping):
                return cls._from_envelope(body, text)
            body = detail
        return cls(text)

    @classmethod
    def _from_envelope(cls, body: Mapping[str, Any], text: str) -> Problem:
        details = body.get("error_details")
        return cls(
            str(body["error_message"]) if body.get("error_message") is not None else text,
            str(body["error_code"]) if body.get("error_code") is not None else None,
            _details(details) if isinstance(details, Mapping) else {},
            str(body["error_type"]) if body.get("error_type") is not None else None,
        )

    @classmethod
    def _from_fastapi(cls, detail: list[Any]) -> Problem:
        details: dict[str, list[str]] = {}
        for entry in detail:
            if isinstance(entry, Mapping):
                steps = entry.get("loc")
                path = ".".join(str(step) for step in steps) if isinstance(steps, list) else ""
                details.setdefault(path, []).append(str(entry.get("msg", "is wrong")))
        return cls("Unprocessable Entity", details=details)

    @property
    def is_about_credits(self) -> bool:
        """Whether the account has none left; Claid says so with more than one status."""
        return (self.type or "").strip().lower() == "billing"

    def __str__(self) -> str:
        details = "; ".join(f"{name}: {', '.join(messages)}" for name, messages in self.details.items())
        return without_queries(f"{self.message} ({details})" if details else self.message)


def error_for(
    status: int,
    problem: Problem,
    *,
    operation: str,
    scope: str,
    request_id: str | None,
    reset: float | None,
) -> ClaidError:
    """Return the error for an answer that is not a success; its message says what to do.

    :param status: HTTP status, anything but a 2xx.
    :param operation: the contract's operation id, for the message.
    :param scope: the scope that the operation needs, for the message of a 403.
    :param request_id: the answer's ``x-request-id``.
    :param reset: seconds until the quota opens, from ``RateLimit-Reset`` or ``Retry-After``.
    """
    facts: dict[str, Any] = {
        "status": status,
        "error_code": problem.code,
        "request_id": request_id,
        "details": problem.details,
    }
    message = f"{operation} answered {status}: {problem}"
    if request_id:
        message += f" [request id {request_id}]"
    if status == 402 or (problem.is_about_credits and status >= 400):
        return ClaidCreditsError(
            f"{message}. The account has no API calls left: buy credits, then clear the task.", **facts
        )
    if status == 401:
        return ClaidAuthenticationError(f"{message}. Check the API key in the connection's password.", **facts)
    if status == 403:
        return ClaidScopeError(f"{message}. {_permission(operation, scope)}", **facts)
    if status == 407:
        return ClaidRequestError(
            f"{message}. The proxy asks for user and password: write them into its address, HTTPS_PROXY or HTTP_PROXY.",
            **facts,
        )
    if status == 429:
        return ClaidRateLimitError(message, retry_after=reset if reset is not None else _DEFAULT_RESET, **facts)
    if 300 <= status < 400:
        return ClaidRequestError(f"{message}. Redirects are not followed: check the base URL.", **facts)
    if status in _REFUSALS:
        return ClaidRequestError(message, **facts)
    return ClaidServerError(f"{message}. Claid, or a proxy in front of it, failed.", **facts)


def _permission(operation: str, scope: str) -> str:
    """Return what to do about a 403; scopes are called as in Claid's dashboard."""
    named = _SCOPES.get(scope)
    if operation.endswith("batch_edit"):
        return (
            "Either the account has no batch editing, which Claid's support enables, or the API key has neither the "
            f"scope {named!r} nor 'Admin'."
        )
    if named is None:
        return "If the API key has the scope 'Admin', ask Claid's support whether the account may do this."
    return (
        f"Give the API key the scope {named!r}, or 'Admin', in Claid's dashboard; if it has one of them, ask Claid's "
        "support whether the account may do this."
    )


def _parsed(content: bytes) -> Any:
    """Return the JSON in the bytes of an answer; ``None`` if it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _details(details: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        str(name): [str(message) for message in messages] if isinstance(messages, list) else [str(messages)]
        for name, messages in details.items()
    }


def _without_tags(text: str) -> str:
    """Return a proxy's HTML as text."""
    return re.sub(
        r"<(style|script|head)\b.*?</\1>|<[^<>]{0,1000}>", " ", text[:_READ_CHARACTERS], flags=re.DOTALL | re.IGNORECASE
    )
