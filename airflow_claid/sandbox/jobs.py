"""Jobs: accepted, processed, then done or failed; one class for all kinds."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_claid.sandbox import errors

FINAL = frozenset({"DONE", "ERROR", "CANCELLED"})


@dataclass
class Job:
    """An asynchronous request.

    :param id: the number at the end of its address.
    :param kind: the operation that submitted it, such as ``submit_edit``.
    :param path: path of its address below ``/v1``.
    :param request: the request's body, which answers repeat.
    :param owner: label of the key that submitted it.
    :param status: ``ACCEPTED``, ``WAITING``, ``PROCESSING``, then ``DONE`` or ``ERROR``; or what a fault demands.
    :param started_at: when it started, by the sandbox's clock.
    :param result: ``result`` or ``results`` of the answer; None until the job is done.
    """

    id: int
    kind: str
    path: str
    request: dict[str, Any]
    owner: str
    created_at: str = field(default_factory=lambda: now())
    status: str = "ACCEPTED"
    errors: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | list[Any] | None = None
    started_at: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether its status is final."""
        return self.status in FINAL

    def fail(self, message: str) -> None:
        """End with one error."""
        self.errors.append({"error": message, "created_at": now()})
        self.status = "ERROR"

    def finish(self, result: dict[str, Any] | list[Any]) -> None:
        """End with a result."""
        self.result = result
        self.status = "DONE"

    def to_json(self, base_url: str) -> dict[str, Any]:
        """Return ``data`` of an answer about the job. Its ``result_url`` is plain http, as Claid's is."""
        data: dict[str, Any] = {
            "id": self.id,
            "status": self.status,
            "result_url": f"http://{base_url.split('://', 1)[-1]}/v1{self.path}/{self.id}",
            "created_at": self.created_at,
            "request": self.request,
            "errors": self.errors,
        }
        if self.kind == "submit_batch_edit":
            data["results"] = self.result or []
        else:
            data["result"] = self.result or {}
        return data


class Jobs:
    """All jobs since the start or the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}
        self._last_id = 4_100_000

    def open(self, kind: str, path: str, request: dict[str, Any], owner: str) -> Job:
        """Create an accepted job."""
        with self._lock:
            self._last_id += 1
            job = Job(self._last_id, kind, path, request, owner)
            self._jobs[job.id] = job
        return job

    def get(self, kind: str, job_id: int) -> Job:
        """Return a job of one kind, or refuse with 404."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or job.kind != kind:
            raise errors.not_found("Task")
        return job

    def reset(self) -> None:
        """Forget every job. Ids are never used again."""
        with self._lock:
            self._jobs.clear()


def now() -> str:
    """Return the current time as Claid writes it: ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
