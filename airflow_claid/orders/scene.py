"""Orders of scenes: a product in a new background."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_claid.client import ClaidClient, SceneRequest, prices
from airflow_claid.orders.creation import CreationOrder
from airflow_claid.orders.order import Sent
from airflow_claid.orders.source import Source


@dataclass(frozen=True, kw_only=True)
class SceneOrder(CreationOrder):
    """A product in a scene.

    :param placement: where in the picture the product is, as Claid names it, without the picture's address.
    :param scene: what is around it, as Claid names it, without the template's address.
    :param template: the template picture, where there is one.
    """

    placement: Mapping[str, Any]
    scene: Mapping[str, Any]
    template: Source | None

    operation = "create_scene"

    @property
    def asked(self) -> dict[str, Any]:
        """The product, where it is, and what is around it."""
        return {
            "object": {"input": self.source.facts, **self.placement},
            "scene": dict(self.scene),
            "template": self.template.facts if self.template else None,
        }

    @property
    def prompt(self) -> str | None:
        """The prompt, or what Claid is to write one by."""
        said = self.scene.get("prompt")
        return (said.get("text") or said.get("guidelines")) if isinstance(said, Mapping) else said

    @property
    def credits(self) -> float:
        """One credit an image; half a credit more where Claid writes the prompt."""
        said = self.scene.get("prompt")
        written = isinstance(said, Mapping) and bool(said.get("generate"))
        return self.number_of_images * prices.SCENE_IMAGE + (prices.WRITTEN_SCENE_PROMPT if written else 0.0)

    def prepared(self, edition: int) -> Callable[[ClaidClient], Sent]:
        """Give what makes the scene."""
        scene = {**self.scene, **({"template_url": self.template.reached()} if self.template else {})}
        product = {**self.placement, "image_url": self.source.reached()}
        request = SceneRequest.of(product, scene, self._whole_output(edition))

        def send(client: ClaidClient) -> Sent:
            result = client.create_scene(request)
            return Sent(result.request_id, images=result.output)

        return send
