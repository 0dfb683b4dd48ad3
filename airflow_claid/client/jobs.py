"""Jobs: asynchronous requests with an id, and what their status means."""

from __future__ import annotations

from enum import Enum

from airflow_claid.client.answers import without_queries
from airflow_claid.client.contract import AnswerModel
from airflow_claid.client.images import InputImage, OutputImage


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
    """One thing that went wrong in a job."""

    error: str
    created_at: str | None = None


class _EditJobResult(AnswerModel):
    input_object: InputImage | None = None
    output_object: OutputImage | None = None


class EditJob(AnswerModel):
    """A job that edits one picture.

    Claid's ``result_url`` is left out on purpose: it is a plain ``http://`` address, and the key must not go
    there. Ask :meth:`ClaidClient.get_edit` with ``id`` instead.
    """

    id: int
    status: str
    created_at: str | None = None
    errors: tuple[JobError, ...] | None = None
    result: _EditJobResult | None = None
    request_id: str | None = None

    @property
    def outcome(self) -> JobOutcome:
        """What the status means; a status that the contract does not name is ``UNKNOWN``."""
        return _OUTCOMES.get(self.status, JobOutcome.UNKNOWN)

    @property
    def output(self) -> OutputImage | None:
        """The edited picture once the job is done."""
        return self.result.output_object if self.result else None

    @property
    def reasons(self) -> str:
        """What Claid said went wrong, in one line."""
        return without_queries("; ".join(error.error for error in self.errors or ())) or "Claid gave no reason"
