"""Parse an answer's JSON into a typed value.

Each function raises :class:`ClaidAnswerLostError` if the answer does not match the contract: its request may have been
paid for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from airflow_claid.client.errors import ClaidAnswerLostError
from airflow_claid.client.models.jobs import Job, JobKind
from airflow_claid.client.transport import Answer, Call

_Model = TypeVar("_Model", bound=BaseModel)


def rows_of(call: Call, answer: Answer) -> list[Any]:
    """Return the list in an answer."""
    rows = answer.body.get("data") if isinstance(answer.body, Mapping) else None
    if not isinstance(rows, list):
        raise _not_understood(call, answer.request_id)
    return rows


def read_job(call: Call, answer: Answer, kind: JobKind) -> Job:
    """Return the job in an answer."""
    data = answer.body.get("data") if isinstance(answer.body, Mapping) else None
    return parse(call, {**data, "kind": kind} if isinstance(data, Mapping) else data, answer.request_id, Job)


def read(call: Call, answer: Answer, model: type[_Model]) -> _Model:
    """Return the value in an answer."""
    data = answer.body.get("data") if isinstance(answer.body, Mapping) else None
    return parse(call, data, answer.request_id, model)


def parse(call: Call, data: object, request_id: str | None, model: type[_Model]) -> _Model:
    """Return the value in a part of an answer."""
    if not isinstance(data, Mapping):
        raise _not_understood(call, request_id)
    try:
        return model.model_validate({**data, "request_id": request_id})
    except ValidationError:
        raise _not_understood(call, request_id) from None


def _not_understood(call: Call, request_id: str | None) -> ClaidAnswerLostError:
    return ClaidAnswerLostError(
        f"{call.operation} succeeded, but its answer does not match the contract [request id {request_id}]. "
        "If it was a paid request, it has been charged.",
        request_id=request_id,
    )
