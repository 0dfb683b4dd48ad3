"""Jobs: asynchronous requests with an id, of several kinds and one model, and what their status means."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import model_validator

from airflow_claid.client.models.base import AnswerModel
from airflow_claid.client.models.images import InputImage, OutputImage
from airflow_claid.client.redaction import without_queries


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
        """What Claid said, without the queries of links, which may be signatures."""
        return without_queries(self.error)


class Job(AnswerModel):
    """A job: an edit, a batch of edits, an AI edit, fashion models or a video.

    ``outputs`` are the pictures (or the video) that it made, in Claid's order: one for an edit and a video,
    several for the others. Claid's ``result_url`` is left out on purpose: it is a plain ``http://`` address,
    and the key must not go there. Ask :meth:`ClaidClient.get_job` with ``kind`` and ``id`` instead.
    """

    kind: JobKind
    id: int
    status: str
    created_at: str | None = None
    errors: tuple[JobError, ...] | None = None
    inputs: tuple[InputImage, ...] = ()
    outputs: tuple[OutputImage, ...] = ()
    request_id: str | None = None

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
        return {
            **data,
            "inputs": [one for part in parts for one in _one_or_many(part, "input_object")],
            "outputs": [one for part in parts for one in _one_or_many(part, "output_object")],
        }

    @property
    def outcome(self) -> JobOutcome:
        """What the status means; a status that the contract does not name is ``UNKNOWN``."""
        return _OUTCOMES.get(self.status, JobOutcome.UNKNOWN)

    @property
    def reasons(self) -> str:
        """What Claid said went wrong, in one line."""
        return without_queries("; ".join(error.error for error in self.errors or ())) or "Claid gave no reason"


def _one_or_many(part: Mapping[str, Any], name: str) -> list[Any]:
    many = part.get(f"{name}s")
    one = part.get(name)
    return [item for item in (*(many or ()), one) if item]
