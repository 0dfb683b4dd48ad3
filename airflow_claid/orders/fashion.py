"""Orders of fashion models: garments on a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_claid.client import ClaidClient, FashionRequest, JobKind, prices
from airflow_claid.orders.creation import CreationOrder
from airflow_claid.orders.order import Sent, as_sent
from airflow_claid.orders.source import Source


@dataclass(frozen=True, kw_only=True)
class FashionOrder(CreationOrder):
    """Garments on a person.

    :param garments: 1 to 5 pictures, of which ``source`` is the first.
    :param person: who wears them; ``None`` for one whom Claid makes.
    :param options: pose, background and aspect ratio, as Claid names them.
    """

    garments: tuple[Source, ...]
    person: Source | None
    options: Mapping[str, Any]

    operation = "submit_fashion_model"
    job_kind = JobKind.FASHION_MODEL

    @property
    def asked(self) -> dict[str, Any]:
        """The garments, the person, and how they are shown."""
        return {
            "clothing": [garment.facts for garment in self.garments],
            "model": self.person.facts if self.person else None,
            "options": dict(self.options),
        }

    @property
    def prompt(self) -> str | None:
        """Pose and background, where they are given."""
        said = [self.options[name] for name in ("pose", "background") if self.options.get(name)]
        return ", ".join(said) or None

    @property
    def credits(self) -> float:
        """Two credits an image."""
        return self.number_of_images * prices.FASHION_IMAGE

    def prepared(self, edition: int) -> Callable[[ClaidClient], Sent]:
        """Give what submits the job."""
        inputs: dict[str, Any] = {"clothing": [garment.reached() for garment in self.garments]}
        if self.person is not None:
            inputs["model"] = self.person.reached()
        request = FashionRequest.of(inputs, self.options, self._whole_output(edition))
        return lambda client: as_sent(client.submit_fashion_model(request))
