"""Orders of fashion models: garments on a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.client import Call, FashionRequest, JobKind, prices
from airflow_claid.client.calls import submission
from airflow_claid.client.models.creation import CreatedOutput
from airflow_claid.client.models.fashion import FashionOptions
from airflow_claid.orders.creation import CreationOrder, with_format
from airflow_claid.orders.source import Source


@dataclass(frozen=True, kw_only=True)
class FashionOrder(CreationOrder):
    """Garments on a person.

    :param garments: 1 to 5 pictures, of which ``source`` is the first.
    :param person: who wears them; ``None`` for one whom Claid makes.
    :param options: pose, background and aspect ratio.
    """

    garments: tuple[Source, ...]
    person: Source | None
    options: FashionOptions
    output: CreatedOutput

    operation = "submit_fashion_model"
    job_kind = JobKind.FASHION_MODEL

    @property
    def asked(self) -> dict[str, Any]:
        """The garments, the person, and how they are shown."""
        return {
            "clothing": [garment.facts for garment in self.garments],
            "model": self.person.facts if self.person else None,
            "options": self.options.to_json(),
        }

    @property
    def prompt(self) -> str | None:
        """Pose and background, where they are given."""
        words = [text for text in (self.options.pose, self.options.background) if text]
        return ", ".join(words) or None

    @property
    def credits(self) -> float:
        """Two credits an image."""
        return self.number_of_images * prices.FASHION_IMAGE

    def prepared(self, edition: int) -> Call:
        """Return the call that submits the job."""
        pictures = {
            "clothing": [garment.reached() for garment in self.garments],
            "model": self.person.reached() if self.person else None,
        }
        request = FashionRequest.of(
            pictures, self.options, with_format(self.output).written_to(self.destination(edition))
        )
        return submission(self.job_kind, request.to_json())
