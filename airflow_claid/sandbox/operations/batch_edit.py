"""``submit_batch_edit`` and its jobs: many pictures, or the pictures of a folder, edited alike."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.batch_edit import BatchEditRequest, BatchSource
from airflow_claid.sandbox.jobs import now
from airflow_claid.sandbox.operations.edit import (
    CREDITS_PER_IMAGE,
    FORMAT_OF_ENDING,
    Edit,
    edit_address,
    note_delivered,
)
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import Place


def _charge(body: BatchEditRequest) -> Charge:
    """Price a list of inputs; what a folder costs is known once it has been listed."""
    count = len(body.input) if isinstance(body.input, list) else 0
    return Charge(CREDITS_PER_IMAGE * count, count)


async def _submit(call: Call[BatchEditRequest]) -> JSON:
    service, given = call.service, call.body.input
    edit = Edit.checked(service, call.body.operations, call.body.output)
    if edit.place is not None and not edit.place.is_folder:
        raise errors.invalid_field("output", "must be a folder: the path must end with '/'")
    if isinstance(given, list):
        inputs = given
    else:
        source, recursive = (given.source, given.recursive) if isinstance(given, BatchSource) else (given, False)
        inputs = await service.in_thread(_inputs, service, source, recursive=recursive)
        call.take(CREDITS_PER_IMAGE * len(inputs))
        call.entry.number_of_images = len(inputs)

    errors_seen: list[JSON] = []

    async def work() -> list[JSON]:
        results = []
        for address in inputs:
            try:
                result = await service.in_thread(edit_address, service, edit, address)
            except errors.Refused as refused:
                errors_seen.append({"error": f"{address}: {refused.message}", "created_at": now()})
                continue
            note_delivered(call, result)
            results.append({"input_object": result["input"], "output_object": result["output"]})
        return results

    return start_job(call, "/image/edit/batch", work(), errors_seen)


def _inputs(service: Service, source: str, *, recursive: bool) -> list[str]:
    """List a folder of a connected storage; a single file is a batch of one."""
    if not source.startswith("storage://"):
        return [source]
    place = service.storages.place(source)
    if not place.is_folder and place.path.rpartition(".")[2].lower() in FORMAT_OF_ENDING:
        return [source]
    folder = place if place.is_folder else Place(place.storage, f"{place.path}/")
    return [str(file.addresses()["claid_storage_uri"]) for file in service.storages.files(folder, recursive=recursive)]


_SCOPE = "image_editing"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "submit_batch_edit",
        "POST",
        "/image/edit/batch",
        _SCOPE,
        _submit,
        body=BatchEditRequest,
        quota="image",
        charge=_charge,
    ),
    job_reader("get_batch_edit", "submit_batch_edit", "/image/edit/batch", _SCOPE),
)
