"""One job of each kind, as small as the contract allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.sandbox_client import Client

PHOTO = "storage://shop/photo.png"
"""What the jobs take as their input."""


@dataclass(frozen=True)
class Submission:
    """A request that makes a job.

    :param path: where it is sent; the job is at ``path/ID``.
    :param first: the status that the answer to it has.
    """

    operation: str
    path: str
    body: dict[str, Any]
    first: str = "ACCEPTED"

    def send(self, client: Client) -> dict[str, Any]:
        """Submit it; return the job."""
        answer = client.call("POST", self.path, json=self.body)
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()["data"]
        return job

    def read(self, client: Client, job: dict[str, Any]) -> dict[str, Any]:
        """Ask how the job stands."""
        data: dict[str, Any] = client.call("GET", f"{self.path}/{job['id']}").json()["data"]
        return data


EDIT = Submission("submit_edit", "/image/edit/async", {"input": PHOTO, "operations": {}})
SUBMISSIONS = (
    EDIT,
    Submission("submit_batch_edit", "/image/edit/batch", {"input": [PHOTO], "operations": {}}),
    Submission("submit_ai_edit", "/image/ai-edit", {"input": PHOTO, "options": {"prompt": "make it snow"}}),
    Submission("submit_fashion_model", "/image/ai-fashion-models", {"input": {"clothing": [PHOTO]}, "options": {}}),
    Submission("submit_video", "/video/generate", {"input": PHOTO, "options": {"prompt": "it turns"}}, "PROCESSING"),
)
