"""Orders of scenes: a product in a new background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.client import Call, SceneRequest, prices
from airflow_claid.client.calls import scene as scene_call
from airflow_claid.client.models.scene import (
    AfterTemplate,
    EffectScene,
    Placement,
    PromptScene,
    SceneOutput,
    WrittenPrompt,
    is_written,
    prompt_in,
)
from airflow_claid.orders.creation import CreationOrder, with_format
from airflow_claid.orders.source import Source


@dataclass(frozen=True, kw_only=True)
class SceneOrder(CreationOrder):
    """A product in a scene.

    :param placement: where in the picture the product is.
    :param scene: what is around it.
    :param template: the template picture, where there is one.
    """

    placement: Placement
    scene: EffectScene | PromptScene | AfterTemplate
    template: Source | None
    output: SceneOutput

    operation = "create_scene"

    @property
    def asked(self) -> dict[str, Any]:
        """The product, where it is, and what is around it."""
        return {
            "object": {"input": self.source.facts, **self.placement.to_json()},
            "scene": self.scene.to_json(),
            "template": self.template.facts if self.template else None,
        }

    @property
    def prompt(self) -> str | None:
        """The prompt, or what Claid is to write one by."""
        prompt = prompt_in(self.scene)
        return (prompt.text or prompt.guidelines) if isinstance(prompt, WrittenPrompt) else prompt

    @property
    def credits(self) -> float:
        """One credit an image; half a credit more where Claid writes the prompt."""
        written = prices.WRITTEN_SCENE_PROMPT if is_written(prompt_in(self.scene)) else 0.0
        return self.number_of_images * prices.SCENE_IMAGE + written

    def prepared(self, edition: int) -> Call:
        """Return the call that makes the scene."""
        scene = {**dict(self.scene), **({"template_url": self.template.reached()} if self.template else {})}
        product = {**dict(self.placement), "image_url": self.source.reached()}
        output = with_format(self.output).written_to(self.destination(edition))
        return scene_call(SceneRequest.of(product, scene, output))
