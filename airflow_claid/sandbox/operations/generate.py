"""``generate_image``: pictures from a prompt."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_claid.sandbox.bodies.generate import GenerateRequest
from airflow_claid.sandbox.delivery import NOWHERE, File, addresses_of, deliver, folder_destination, unpredictable_name
from airflow_claid.sandbox.drawing.encoding import Description
from airflow_claid.sandbox.drawing.pictures import Recipe, is_blocked, png
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import Place

CREDITS_PER_IMAGE = 1.0


def _charge(body: GenerateRequest) -> Charge:
    count = body.options.number_of_images
    return Charge(CREDITS_PER_IMAGE * count, count, body.input)


async def _generate(call: Call[GenerateRequest]) -> JSON:
    """Make the pictures; without an output they are drawn only when they are fetched."""
    service, body = call.service, call.body
    place = folder_destination(service, "output", body.output)
    side = service.settings.image_size
    blocked = is_blocked(body.input, service.settings.blocked_words)
    count = body.options.number_of_images
    recipe = Recipe(body.input, 1, count, side, side, blocked=blocked)
    if place is None:
        paths = service.temporary.add_drawn(recipe)
        where: list[dict[str, Any]] = [{"tmp_url": service.base_url + path, **NOWHERE} for path in paths]
    else:
        where = await service.in_thread(_write_all, service, place, recipe)
    description = Description("png", side, side).to_json()
    images = [{**description, **one} for one in where]
    call.entry.pictures = [addresses_of(image) for image in images]
    return {"data": {"input": {"text": body.input}, "output": images, "profiling": {"trace": uuid.uuid4().hex}}}


def _write_all(service: Service, folder: Place, recipe: Recipe) -> list[dict[str, Any]]:
    results = []
    for one in recipe.all():
        file = File(png(one), "image/png", "png", unpredictable_name("png"))
        results.append(deliver(service, folder, file))
    return results


OPERATIONS = (
    Operation(
        "generate_image",
        "POST",
        "/image/generate",
        "image_editing",
        _generate,
        body=GenerateRequest,
        quota="image",
        charge=_charge,
    ),
)
