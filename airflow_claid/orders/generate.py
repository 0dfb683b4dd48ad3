"""Orders of images from prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.client import Call, GenerateRequest, prices
from airflow_claid.client.calls import generation
from airflow_claid.orders.order import Order


@dataclass(frozen=True, kw_only=True)
class GenerateOrder(Order):
    """Images from a prompt."""

    request: GenerateRequest

    operation = "generate_image"
    filtered = True

    @property
    def body(self) -> dict[str, Any]:
        """The request without its output: that is the place."""
        return {name: value for name, value in self.request.to_json().items() if name != "output"}

    @property
    def subject(self) -> str:
        """The prompt."""
        return self.request.input

    @property
    def prompt(self) -> str:
        """The prompt."""
        return self.request.input

    @property
    def number_of_images(self) -> int:
        """How many images are asked for."""
        return self.request.number_of_images

    @property
    def credits(self) -> float:
        """One credit an image."""
        return self.number_of_images * prices.GENERATED_IMAGE

    def file_name(self, position: int) -> str:
        """Number the pictures: ``NAME_1.png``, ``NAME_2.png``."""
        return f"{self.label}_{position}.png"

    def destination(self, edition: int) -> str | None:
        """Return a sub-folder of the request's own."""
        return self._own_folder(edition)

    def prepared(self, edition: int) -> Call:
        """Return the call that generates the images."""
        return generation(self.request.written_to(self.destination(edition)))

    @property
    def repeated_prompt(self) -> str:
        """The prompt."""
        return self.request.input
