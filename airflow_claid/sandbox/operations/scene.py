"""Scenes: each picture shows the product on a background."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox.bodies.scene import (
    AbsolutePlacement,
    EffectScene,
    PromptScene,
    ScenePrompt,
    SceneRequest,
    TemplateScene,
)
from airflow_claid.sandbox.delivery import addresses_of, fetch
from airflow_claid.sandbox.drawing.compositions import ProductPlacement, scene, size_of
from airflow_claid.sandbox.drawing.encoding import read
from airflow_claid.sandbox.drawing.resizing import colour_of
from airflow_claid.sandbox.operations.creation import Output, count_of, deliver_picture, recipes_of
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation

CREDITS_PER_IMAGE = 1.0
CREDITS_PER_WRITTEN_PROMPT = 0.5


def _prompt_of(body: SceneRequest) -> tuple[str, bool]:
    """Return a scene's prompt, and whether Claid shall write it."""
    if isinstance(body.scene, EffectScene):
        return f"shadows, {body.scene.view}", False
    prompt = body.scene.prompt
    if isinstance(prompt, ScenePrompt):
        return prompt.text or prompt.guidelines or "a fitting scene", prompt.generate
    return prompt or "a scene after a template", False


def _charge(body: SceneRequest) -> Charge:
    count = count_of(body.output, 4)
    prompt, written_by_claid = _prompt_of(body)
    credits_for_prompt = CREDITS_PER_WRITTEN_PROMPT if written_by_claid else 0.0
    return Charge(CREDITS_PER_IMAGE * count + credits_for_prompt, count, prompt)


async def _create(call: Call[SceneRequest]) -> JSON:
    service, body = call.service, call.body
    output = Output.checked(service, body.output, 4)
    colour = colour_of(body.scene.color, "scene.color") if body.scene.color else None
    ratio = body.scene.aspect_ratio if isinstance(body.scene, EffectScene | PromptScene) else "1:1"
    product = body.object
    placement = ProductPlacement()
    if isinstance(product, AbsolutePlacement):
        placement = ProductPlacement(product.position.x, product.position.y, product.scale, product.rotation_degree)

    def work() -> JSON:
        picture, before = read(fetch(service, product.image_url), service.settings.max_megapixels)
        if isinstance(body.scene, TemplateScene):
            fetch(service, body.scene.template_url)
        size = size_of(ratio, service.settings.image_size)
        recipes = recipes_of(service, _prompt_of(body)[0], output, size, "scene")
        images = [deliver_picture(service, output, scene(picture, recipe, placement, colour)) for recipe in recipes]
        return {"input": before.to_json(), "output": images}

    result = await service.in_thread(work)
    call.entry.pictures = [addresses_of(image) for image in result["output"]]
    return {"data": result}


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "create_scene",
        "POST",
        "/scene/create",
        "image_generation",
        _create,
        body=SceneRequest,
        quota="image",
        charge=_charge,
    ),
)
