"""A successful answer, as it came."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """A successful answer (2xx) as it came, not interpreted; see :mod:`airflow_claid.client.reading`.

    :param operation: the contract's operation id.
    :param content: the bytes of the body.
    :param request_id: its ``x-request-id``.
    """

    operation: str
    content: bytes
    request_id: str | None = None
