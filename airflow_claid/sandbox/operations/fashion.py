"""Fashion models: each picture shows its inputs side by side."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox.bodies.fashion import FashionRequest
from airflow_claid.sandbox.delivery import addresses_of, fetch
from airflow_claid.sandbox.drawing.compositions import fashion, size_of
from airflow_claid.sandbox.drawing.encoding import read
from airflow_claid.sandbox.operations.creation import Output, count_of, deliver_picture, recipes_of
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation

CREDITS_PER_IMAGE = 2.0


def _prompt_of(body: FashionRequest) -> str:
    return f"{body.options.pose}, {body.options.background}"


def _charge(body: FashionRequest) -> Charge:
    count = count_of(body.output, 1)
    return Charge(CREDITS_PER_IMAGE * count, count, _prompt_of(body))


async def _submit(call: Call[FashionRequest]) -> JSON:
    service, body = call.service, call.body
    output = Output.checked(service, body.output, 1)

    def work() -> JSON:
        addresses = [*([body.input.model] if body.input.model else []), *body.input.clothing]
        inputs = [read(fetch(service, address), service.settings.max_megapixels) for address in addresses]
        size = size_of(body.options.aspect_ratio or "2:3", service.settings.image_size)
        recipes = recipes_of(service, _prompt_of(body), output, size, "fashion model")
        garments = [picture for picture, _ in inputs]
        images = [deliver_picture(service, output, fashion(garments, recipe)) for recipe in recipes]
        call.entry.pictures += [addresses_of(image) for image in images]
        return {"input_objects": [before.to_json() for _, before in inputs], "output_objects": images}

    return start_job(call, "/image/ai-fashion-models", call.service.in_thread(work))


_SCOPE = "image_editing"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "submit_fashion_model",
        "POST",
        "/image/ai-fashion-models",
        _SCOPE,
        _submit,
        body=FashionRequest,
        quota="fashion",
        charge=_charge,
    ),
    job_reader("get_fashion_model", "submit_fashion_model", "/image/ai-fashion-models", _SCOPE),
)
