"""Errors from HTTP answers: every form of error that Claid, or a proxy in front of it, is known to return."""

from __future__ import annotations

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
from airflow_claid.client.redaction import without_queries

_SHOWN_CHARACTERS = 300
_DEFAULT_RESET = 1.0


@dataclass(frozen=True)
class Problem:
    """The content of an error answer, whatever its form."""

    message: str
    code: str | None = None
    details: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def from_body(cls, body: object, text: str) -> Problem:
        """Read an error's body.

        :param body: the parsed JSON; ``None`` where the body is not JSON (a proxy's HTML, or empty).
        :param text: the body as text.
        """
        if isinstance(body, Mapping):
            detail = body.get("detail")
            if isinstance(detail, Mapping):
                return cls.from_body(detail, text)
            if isinstance(detail, list):
                return cls._from_fastapi(detail)
            if "error_message" in body:
                return cls._from_envelope(body)
        return cls(_plain(text) or "the answer had no text")

    @classmethod
    def _from_envelope(cls, body: Mapping[str, Any]) -> Problem:
        details = body.get("error_details")
        return cls(
            str(body["error_message"]),
            str(body["error_code"]) if body.get("error_code") is not None else None,
            _details(details) if isinstance(details, Mapping) else {},
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

    :param status: HTTP status, 300 or more.
    :param operation: the contract's operation id, for the message.
    :param scope: the scope that the operation needs, for the message of a 403.
    :param request_id: the answer's ``x-request-id``.
    :param reset: seconds until the quota opens, from ``RateLimit-Reset``.
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
    if status == 401:
        return ClaidAuthenticationError(f"{message}. Check the API key in the connection's password.", **facts)
    if status == 402:
        return ClaidCreditsError(
            f"{message}. The account has no API calls left: buy credits, then clear the task.", **facts
        )
    if status == 403:
        return ClaidScopeError(f"{message}. Give the API key the scope {scope!r} in Claid's dashboard.", **facts)
    if status == 429:
        return ClaidRateLimitError(message, retry_after=reset if reset is not None else _DEFAULT_RESET, **facts)
    if status >= 500:
        return ClaidServerError(f"{message}. Claid, or a proxy in front of it, failed.", **facts)
    if status < 400:
        return ClaidRequestError(f"{message}. Redirects are not followed: check the base URL.", **facts)
    return ClaidRequestError(message, **facts)


def _details(details: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        str(name): [str(message) for message in messages] if isinstance(messages, list) else [str(messages)]
        for name, messages in details.items()
    }


def _plain(text: str) -> str:
    """Return a proxy's HTML as one readable line."""
    without_tags = re.sub(r"<(style|script|head)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    line = " ".join(without_tags.split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[:_SHOWN_CHARACTERS] + "…"
