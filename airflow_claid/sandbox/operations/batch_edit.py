"""Batch edits: one job that edits a list of pictures, or a folder of them."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.batch_edit import BatchEditRequest, BatchSource
from airflow_claid.sandbox.jobs import now
from airflow_claid.sandbox.operations.edit import (
    CREDITS_PER_IMAGE,
    FORMAT_OF_EXTENSION,
    Edit,
    edit_address,
    record_picture,
)
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import Place


def _charge(body: BatchEditRequest) -> Charge:
    """Charge for a list of inputs. A folder is charged later, when its files have been listed."""
    count = len(body.input) if isinstance(body.input, list) else 0
    return Charge(CREDITS_PER_IMAGE * count, count)


async def _submit(call: Call[BatchEditRequest]) -> JSON:
    service, source = call.service, call.body.input
    edit = Edit.checked(service, call.body.operations, call.body.output)
    if edit.place is not None and not edit.place.is_folder:
        raise errors.invalid_field("output", "must be a folder: the path must end with '/'")
    if isinstance(source, list):
        inputs = source
    else:
        folder = source if isinstance(source, BatchSource) else BatchSource(source=source)
        inputs = await service.in_thread(_list_inputs, service, folder)
        call.take(CREDITS_PER_IMAGE * len(inputs))
        call.entry.number_of_images = len(inputs)
    job_errors: list[JSON] = []

    async def work() -> list[JSON]:
        results = []
        for address in inputs:
            try:
                result = await service.in_thread(edit_address, service, edit, address)
            except errors.Refused as refused:
                job_errors.append({"error": f"{address}: {refused.message}", "created_at": now()})
                continue
            record_picture(call, result)
            results.append({"input_object": result["input"], "output_object": result["output"]})
        return results

    return start_job(call, "/image/edit/batch", work(), job_errors)


def _list_inputs(service: Service, folder: BatchSource) -> list[str]:
    """Return the addresses of a folder's files. A single file, or a web address, is a batch of one. Blocks."""
    if not folder.source.startswith("storage://"):
        return [folder.source]
    place = service.storages.place(folder.source)
    if not place.is_folder and place.path.rpartition(".")[2].lower() in FORMAT_OF_EXTENSION:
        return [folder.source]
    if not place.is_folder:
        place = Place(place.storage, f"{place.path}/")
    files = service.storages.files(place, recursive=folder.recursive)
    return [str(file.addresses()["claid_storage_uri"]) for file in files]


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
