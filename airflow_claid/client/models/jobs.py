"""Jobs: asynchronous requests with an id, of several kinds and one model, and what their status means."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from airflow_claid.client.finding import pictures_in
from airflow_claid.client.models.base import AnswerModel
from airflow_claid.client.models.images import InputImage, OutputImage
from airflow_claid.client.redaction import without_logins, without_queries


class JobKind(str, Enum):
    """The kinds of job; each has an operation that submits it and one that polls it."""

    EDIT = "edit"
    BATCH_EDIT = "batch_edit"
    AI_EDIT = "ai_edit"
    FASHION_MODEL = "fashion_model"
    VIDEO = "video"


class JobOutcome(Enum):
    """What a status asks of whoever waits."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


_OUTCOMES = {
    "ACCEPTED": JobOutcome.PENDING,
    "WAITING": JobOutcome.PENDING,
    "PROCESSING": JobOutcome.PENDING,
    "PAUSED": JobOutcome.PENDING,
    "DONE": JobOutcome.DONE,
    "ERROR": JobOutcome.FAILED,
    "CANCELLED": JobOutcome.FAILED,
}


class JobError(AnswerModel):
    """One thing that went wrong in a job; in a batch it may say with which input."""

    error: str
    created_at: str | None = None
    input_object: InputImage | None = None

    @property
    def reason(self) -> str:
        """What Claid said, without logins, and without the queries of links, which may be signatures."""
        return without_queries(without_logins(self.error))


def _errors(value: object) -> object:
    """Return a list of errors of any shape as objects: Claid names none but ``error`` and ``created_at``."""
    several = value if isinstance(value, (list, tuple)) else [value] if value else []
    return [_error(one) for one in several if one]


def _error(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {"error": str(value)}
    texts = (value.get(name) for name in ("error", "error_message", "message", "detail", "msg"))
    return {**value, "error": next((str(text) for text in texts if text), "no reason given")}


def _text(value: object) -> object:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


class Job(AnswerModel):
    """A job of any kind.

    ``outputs`` are the pictures (or the video) that it made, in Claid's order: one, or several where its kind makes
    several. ``prompt`` is the one that the answer repeats, if it does. Claid's ``result_url`` is left
    out on purpose: it is a plain ``http://`` address, and the key must not go there. Ask :meth:`ClaidClient.get_job`
    with ``kind`` and ``id`` instead.
    """

    kind: JobKind
    id: int | str
    status: str = ""
    created_at: Annotated[str | None, BeforeValidator(_text)] = None
    errors: Annotated[tuple[JobError, ...] | None, BeforeValidator(_errors)] = None
    inputs: tuple[InputImage, ...] = ()
    outputs: tuple[OutputImage, ...] = ()
    request_id: str | None = None
    prompt: str | None = None

    @classmethod
    def of(cls, kind: JobKind, data: Mapping[str, Any], request_id: str | None = None) -> Job:
        """Read the ``data`` of a job's answer, whatever shape its kind has.

        :raises pydantic.ValidationError: if it is no such answer.
        """
        return cls.model_validate({**data, "kind": kind, "request_id": request_id})

    @model_validator(mode="before")
    @classmethod
    def _one_shape(cls, data: Any) -> Any:
        """Bring the shapes of the results together: one pair, one input with many outputs, many of both, many pairs."""
        if not isinstance(data, Mapping):
            return data
        results = data.get("results") or data.get("result") or ()
        results = results if isinstance(results, (list, tuple)) else [results]
        parts = [part for part in results if isinstance(part, Mapping)]
        done = str(data.get("status")).upper() == "DONE"
        return {
            **data,
            "inputs": [one for part in parts for one in _one_or_many(part, "input_object")],
            "outputs": pictures_in({name: part for name, part in data.items() if name != "id"}, anywhere=done),
        }

    @property
    def outcome(self) -> JobOutcome:
        """What the status means; one that the contract does not name is ``UNKNOWN``, unless there is a result."""
        known = _OUTCOMES.get(self.status.strip().upper())
        return known or (JobOutcome.DONE if self.outputs else JobOutcome.UNKNOWN)

    @property
    def reasons(self) -> str:
        """What Claid said went wrong, in one line."""
        return "; ".join(error.reason for error in self.errors or ()) or "Claid gave no reason"


def _one_or_many(part: Mapping[str, Any], name: str) -> list[Any]:
    many = part.get(f"{name}s")
    one = part.get(name)
    return [item for item in (*(many if isinstance(many, (list, tuple)) else ()), one) if isinstance(item, Mapping)]
