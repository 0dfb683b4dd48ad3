"""Claid's error envelope, and one exception for each way in which a request is refused."""

from __future__ import annotations

from typing import Any


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the sandbox
    """A request is answered with an error of Claid's shape.

    :param status: HTTP status.
    :param code: Claid's ``error_code``.
    :param kind: Claid's ``error_type``.
    :param message: a sentence for people.
    :param details: ``{"field.path": ["message", …]}`` of a validation error.
    """

    def __init__(
        self, status: int, code: str, kind: str, message: str, details: dict[str, list[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.kind = kind
        self.message = message
        self.details = details or {}

    def body(self) -> dict[str, Any]:
        """Return the envelope; that of a 429 is nested under ``detail``, as the real one's is."""
        envelope: dict[str, Any] = {
            "error_code": self.code,
            "error_type": self.kind,
            "error_message": self.message,
            "error_details": self.details,
        }
        return {"detail": envelope} if self.status == 429 else envelope


def unauthorized() -> Refused:
    """No key, or one that nobody has."""
    return Refused(401, "111", "auth", "Authorization is required.")


def forbidden(scope: str) -> Refused:
    """The key lacks a scope."""
    return Refused(403, "112", "auth", f"Not enough permissions: the key lacks the scope '{scope}'.")


def no_credits() -> Refused:
    """The purse is empty."""
    return Refused(402, "3001", "billing", "No API calls left.")


def too_many_requests() -> Refused:
    """The quota is exceeded."""
    return Refused(429, "2001", "general", "Too many requests.")


def internal_error() -> Refused:
    """A temporary error of the server."""
    return Refused(500, "1000", "general", "Internal server error. Please try again later.")


def not_found(what: str) -> Refused:
    """There is no such thing under this id or address."""
    return Refused(404, "1004", "general", f"{what} not found.")


def invalid(details: dict[str, list[str]]) -> Refused:
    """The body is not what the contract says."""
    return Refused(422, "9000", "validation", "Validation error.", details)


def invalid_field(field: str, message: str) -> Refused:
    """One field of a well-formed body makes no sense."""
    return invalid({field: [message]})


def bad_body(message: str) -> Refused:
    """The body cannot be read at all."""
    return Refused(400, "1001", "general", message)


def bad_image(message: str) -> Refused:
    """An input cannot be fetched, or is no picture."""
    return Refused(400, "4001", "image", message)


def bad_storage(message: str) -> Refused:
    """A connected storage cannot do what is asked."""
    return Refused(400, "5001", "storage", message)
