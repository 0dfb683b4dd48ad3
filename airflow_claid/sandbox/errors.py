"""Claid's error envelope, and one function for each reason to refuse a request."""

from __future__ import annotations

from typing import Any


class Refused(Exception):  # noqa: N818 - an answer, not an error of the sandbox
    """A request is refused: the answer is an error in Claid's form.

    :param status: HTTP status.
    :param code: Claid's ``error_code``.
    :param kind: Claid's ``error_type``.
    :param message: explanation for people.
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
        self.details: dict[str, list[str]] = details or {}

    def body(self) -> dict[str, Any]:
        """Return the envelope; a 429 nests it under ``detail``, as Claid does."""
        envelope: dict[str, Any] = {
            "error_code": self.code,
            "error_type": self.kind,
            "error_message": self.message,
            "error_details": self.details,
        }
        return {"detail": envelope} if self.status == 429 else envelope


def unauthorized() -> Refused:
    """Return the refusal of a missing or unknown key."""
    return Refused(401, "111", "auth", "Authorization is required.")


def forbidden(scope: str) -> Refused:
    """Return the refusal of a key without the scope."""
    return Refused(403, "112", "auth", f"Not enough permissions: the key lacks the scope '{scope}'.")


def no_credits() -> Refused:
    """Return the refusal of a key without enough credits."""
    return Refused(402, "3001", "billing", "No API calls left.")


def too_many_requests() -> Refused:
    """Return the refusal of a request beyond the quota."""
    return Refused(429, "2001", "general", "Too many requests.")


def internal_error() -> Refused:
    """Return the answer to a temporary error of the server."""
    return Refused(500, "1000", "general", "Internal server error. Please try again later.")


def not_found(thing: str) -> Refused:
    """Return the refusal of an id or address that does not exist."""
    return Refused(404, "1004", "general", f"{thing} not found.")


def invalid(details: dict[str, list[str]]) -> Refused:
    """Return the refusal of a body that breaks the contract."""
    return Refused(422, "9000", "validation", "Validation error.", details)


def invalid_field(field: str, message: str) -> Refused:
    """Return the refusal of one wrong field in a well-formed body."""
    return invalid({field: [message]})


def bad_body(message: str) -> Refused:
    """Return the refusal of a body that cannot be read."""
    return Refused(400, "1001", "general", message)


def bad_image(message: str) -> Refused:
    """Return the refusal of an input that cannot be fetched or is not a picture."""
    return Refused(400, "4001", "image", message)


def bad_storage(message: str) -> Refused:
    """Return the refusal of a request that a connected storage cannot serve."""
    return Refused(400, "5001", "storage", message)
