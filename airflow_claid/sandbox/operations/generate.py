"""Pictures from a prompt."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_claid.sandbox.bodies.generate import GenerateRequest
from airflow_claid.sandbox.delivery import (
    NO_OBJECT,
    File,
    addresses_of,
    deliver,
    folder_destination,
    unpredictable_name,
)
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
    """Answer with the addresses of the pictures; those at temporary addresses are drawn when they are fetched."""
    service, body = call.service, call.body
    place = folder_destination(service, "output", body.output)
    side = service.settings.image_size
    blocked = is_blocked(body.input, service.settings.blocked_words)
    count = body.options.number_of_images
    recipe = Recipe(body.input, 1, count, side, side, blocked=blocked)
    if place is None:
        paths = service.temporary.add_generated(recipe)
        addresses: list[dict[str, Any]] = [{"tmp_url": service.base_url + path, **NO_OBJECT} for path in paths]
    else:
        addresses = await service.in_thread(_write_all, service, place, recipe.all())
    description = Description("png", side, side).to_json()
    images = [{**description, **address} for address in addresses]
    call.entry.pictures = [addresses_of(image) for image in images]
    return {"data": {"input": {"text": body.input}, "output": images, "profiling": {"trace": uuid.uuid4().hex}}}


def _write_all(service: Service, folder: Place, recipes: list[Recipe]) -> list[dict[str, Any]]:
    """Draw all pictures and deliver them to a folder. Blocks."""
    addresses = []
    for recipe in recipes:
        file = File(png(recipe), "image/png", "png", unpredictable_name("png"))
        addresses.append(deliver(service, folder, file))
    return addresses


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
