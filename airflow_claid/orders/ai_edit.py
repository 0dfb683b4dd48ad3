"""Orders of AI edits: a picture changed as a prompt says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.client import AIEditRequest, Call, JobKind, prices
from airflow_claid.client.calls import submission
from airflow_claid.client.models.ai_edit import AIEditOptions
from airflow_claid.client.models.creation import CreatedOutput
from airflow_claid.orders.creation import CreationOrder, with_format


@dataclass(frozen=True, kw_only=True)
class AIEditOrder(CreationOrder):
    """A picture changed as a prompt says.

    :param options: prompt and the rest.
    """

    options: AIEditOptions
    output: CreatedOutput

    operation = "submit_ai_edit"
    job_kind = JobKind.AI_EDIT

    @property
    def asked(self) -> dict[str, Any]:
        """The picture and what is to change."""
        return {"input": self.source.facts, "options": self.options.to_json()}

    @property
    def prompt(self) -> str:
        """The prompt."""
        return self.options.prompt

    @property
    def repeated_prompt(self) -> str:
        """The prompt."""
        return self.options.prompt

    @property
    def credits(self) -> float:
        """Two credits an image."""
        return self.number_of_images * prices.AI_EDITED_IMAGE

    def prepared(self, edition: int) -> Call:
        """Return the call that submits the job."""
        request = AIEditRequest.of(
            self.source.reached(), self.options, with_format(self.output).written_to(self.destination(edition))
        )
        return submission(self.job_kind, request.to_json())
