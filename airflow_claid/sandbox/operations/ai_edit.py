"""AI edits: each picture shows its input, tinted with the colours of the prompt."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.ai_edit import AIEditRequest
from airflow_claid.sandbox.delivery import addresses_of, fetch
from airflow_claid.sandbox.drawing.compositions import ai_edit, size_of
from airflow_claid.sandbox.drawing.encoding import read
from airflow_claid.sandbox.operations.creation import Output, count_of, deliver_picture, recipes_of
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation

CREDITS_PER_IMAGE = 2.0


def _charge(body: AIEditRequest) -> Charge:
    count = count_of(body.output, 1)
    return Charge(CREDITS_PER_IMAGE * count, count, body.options.prompt)


async def _submit(call: Call[AIEditRequest]) -> JSON:
    service, body = call.service, call.body
    output = Output.checked(service, body.output, 1)
    if body.options.model != "v1" and body.options.aspect_ratio is not None:
        raise errors.invalid_field("options.aspect_ratio", "works with model v1 only")

    def work() -> JSON:
        picture, before = read(fetch(service, body.input), service.settings.max_megapixels)
        ratio = body.options.aspect_ratio
        size = size_of(ratio, service.settings.image_size) if ratio else picture.size
        recipes = recipes_of(service, body.options.prompt, output, size, "AI edit")
        images = [deliver_picture(service, output, ai_edit(picture, recipe)) for recipe in recipes]
        call.entry.pictures += [addresses_of(image) for image in images]
        return {"input_object": before.to_json(), "output_objects": images}

    return start_job(call, "/image/ai-edit", call.service.in_thread(work))


_SCOPE = "image_editing"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "submit_ai_edit", "POST", "/image/ai-edit", _SCOPE, _submit, body=AIEditRequest, quota="ai_edit", charge=_charge
    ),
    job_reader("get_ai_edit", "submit_ai_edit", "/image/ai-edit", _SCOPE),
)
