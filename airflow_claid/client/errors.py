"""Errors of requests to Claid, by whether they may have cost credits and whether a retry can help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_claid.errors import AirflowClaidError

if TYPE_CHECKING:
    from airflow_claid.client.answer import Answer

_NOT_SENT = "Nothing was sent, nothing was charged."


class ClaidError(AirflowClaidError):
    """Any failure of a request to Claid.

    :param message: a sentence for the person on call: what happened and what to do now.
    :param status: HTTP status of the answer; ``None`` where there was no answer.
    :param error_code: Claid's own code (``"9000"``, ``"2001"``, …) where the answer named one.
    :param request_id: the ``x-request-id`` of the answer, which Claid's support asks for.
    :param details: Claid's messages by field, ``{"field.path": ["message", …]}``.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_code: str | None = None,
        request_id: str | None = None,
        details: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.request_id = request_id
        self.details: dict[str, list[str]] = details or {}


class ClaidRequestError(ClaidError):
    """Claid refused the request (400, 404, 409, 422 and other 4xx): change it. Not charged."""


class ClaidValidationError(ClaidRequestError, ValueError):
    """A parameter or a setting is wrong. The request was not sent; the message adds that nothing was charged.

    :param problem: a sentence that names the parameter, its value and the remedy.
    :param details: messages by field.
    """

    def __init__(self, problem: str, *, details: dict[str, list[str]] | None = None) -> None:
        super().__init__(f"{problem.rstrip('.')}. {_NOT_SENT}", details=details)


class ClaidAuthenticationError(ClaidError):
    """Claid does not know the API key (401). Not charged."""


class ClaidScopeError(ClaidError):
    """The API key, or the account, may not do this (403): a scope is missing, or Claid must enable it. Not charged."""


class ClaidCreditsError(ClaidError):
    """The account has no API calls left (402, or the error type ``billing``): buy credits. Not charged."""


class ClaidRateLimitError(ClaidError):
    """The quota allows no request within ``max_wait``, or was exceeded (429) for longer. Not charged.

    :param retry_after: seconds until the quota allows the next request, from ``RateLimit-Reset`` or ``Retry-After``.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]
        self.retry_after = retry_after


class ClaidServerError(ClaidError):
    """Claid, or a proxy in front of it, failed (5xx, 408, 425, 499 …). A paid request may have been charged."""

    retryable = True
    may_have_been_charged = True


class ClaidNotSentError(ClaidError):
    """Not a byte of the request was sent (no address, no connection, no TLS, no way through a proxy). Not charged."""

    retryable = True


class ClaidAnswerLostError(ClaidError):
    """The request was sent but its answer did not arrive whole. A paid request may have been charged."""

    retryable = True
    may_have_been_charged = True


class ClaidAnswerUnreadError(ClaidError):
    """A paid request succeeded, but its answer could not be read. It was charged; do not request it again.

    :param answer: as it came: another version, or a person, may read it. It is in no message.
    :param reason: why, to follow "its answer could not be read: ".
    """

    may_have_been_charged = True

    def __init__(self, answer: Answer, reason: str) -> None:
        super().__init__(
            f"{answer.operation} succeeded and was charged, but its answer could not be read: {reason} "
            f"[request id {answer.request_id}]",
            request_id=answer.request_id,
        )
        self.answer = answer
        self.reason = reason


class ClaidMissingConnectionError(ClaidError):
    """Airflow has no connection of the id that leads to Claid, or to a bucket: define it. Nothing was sent.

    Retryable, because Airflow says so also when its own API server fails for a moment.
    """

    retryable = True


class ClaidWebhookError(ClaidError):
    """A webhook was not signed with your secret, or does not hold a job: refuse it. The check costs nothing."""
