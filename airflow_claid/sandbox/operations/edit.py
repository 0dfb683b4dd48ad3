"""``edit_image``, ``upload_and_edit``, ``submit_edit`` and ``submit_batch_edit`` with their jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.edit import (
    BatchEditRequest,
    BatchSource,
    EditRequest,
    ImageOutput,
    Operations,
    UploadData,
)
from airflow_claid.sandbox.delivery import File, addresses_of, deliver, destination, fetch, stem_of
from airflow_claid.sandbox.drawing import editing, encoding
from airflow_claid.sandbox.jobs import now
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import Place

CREDITS_PER_IMAGE = 1.0
_FORMAT_OF_ENDING = {
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "png": "png",
    "webp": "webp",
    "avif": "avif",
    "tif": "tiff",
    "tiff": "tiff",
}


@dataclass(frozen=True)
class Edit:
    """An edit that has been checked: what is done, and where the result goes."""

    operations: Operations
    output: ImageOutput
    place: Place | None

    @classmethod
    def checked(cls, service: Service, operations: Operations, output: ImageOutput | str | None) -> Edit:
        """Check what can be checked before the input is seen."""
        editing.check(operations)
        if isinstance(output, str):
            place = destination(service, "output", output)
            output = ImageOutput(destination=output)
        else:
            output = output or ImageOutput()
            place = destination(service, "output.destination", output.destination)
        return cls(operations, output, place)

    def run(self, service: Service, content: bytes, stem: str) -> JSON:
        """Edit one picture and deliver it; return ``{"input": …, "output": …}``. Blocks."""
        limit = service.settings.max_megapixels
        picture, before = encoding.read(content, limit)
        result = editing.apply(picture, self.operations, limit)
        chosen = self.output.format or self._format_of_place()
        kind = encoding.name_of(chosen, "jpeg")
        written = encoding.write(result, chosen, self.output.metadata)
        file = File(written, f"image/{kind}", kind, f"{stem}.{kind}")
        after = encoding.Description(kind, *result.size).to_json()
        return {"input": before.to_json(), "output": {**after, **deliver(service, self.place, file)}}

    def _format_of_place(self) -> Any:
        """Without a format, an exact file's ending tells it; else it is JPEG."""
        if self.place is None or self.place.is_folder:
            return "jpeg"
        return _FORMAT_OF_ENDING.get(self.place.path.rpartition(".")[2].lower(), "jpeg")


def _one_image(_: Any) -> Charge:
    return Charge(CREDITS_PER_IMAGE, 1)


def _edit_address(service: Service, edit: Edit, address: str) -> JSON:
    return edit.run(service, fetch(service, address), stem_of(address))


def _note(call: Call[Any], result: JSON) -> JSON:
    call.entry.pictures.append(addresses_of(result["output"]))
    return result


async def _edit(call: Call[EditRequest]) -> JSON:
    edit = Edit.checked(call.service, call.body.operations, call.body.output)
    result = await call.service.in_thread(_edit_address, call.service, edit, call.body.input)
    return {"data": _note(call, result)}


async def _upload(call: Call[UploadData]) -> JSON:
    edit = Edit.checked(call.service, call.body.operations, call.body.output)
    name, content = call.upload or ("image", b"")
    result = await call.service.in_thread(edit.run, call.service, content, stem_of(f"storage://upload/{name}"))
    return {"data": _note(call, result)}


async def _submit(call: Call[EditRequest]) -> JSON:
    edit = Edit.checked(call.service, call.body.operations, call.body.output)

    async def work() -> JSON:
        result = await call.service.in_thread(_edit_address, call.service, edit, call.body.input)
        _note(call, result)
        return {"input_object": result["input"], "output_object": result["output"]}

    return start_job(call, "/image/edit/async", work())


def _batch_charge(body: BatchEditRequest) -> Charge:
    """Price a list of inputs; what a folder costs is known once it has been listed."""
    count = len(body.input) if isinstance(body.input, list) else 0
    return Charge(CREDITS_PER_IMAGE * count, count)


async def _submit_batch(call: Call[BatchEditRequest]) -> JSON:
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
                result = await service.in_thread(_edit_address, service, edit, address)
            except errors.Refused as refused:
                errors_seen.append({"error": f"{address}: {refused.message}", "created_at": now()})
                continue
            _note(call, result)
            results.append({"input_object": result["input"], "output_object": result["output"]})
        return results

    return start_job(call, "/image/edit/batch", work(), errors_seen)


def _inputs(service: Service, source: str, *, recursive: bool) -> list[str]:
    """List a folder of a connected storage; a single file is a batch of one."""
    if not source.startswith("storage://"):
        return [source]
    place = service.storages.place(source)
    if not place.is_folder and place.path.rpartition(".")[2].lower() in _FORMAT_OF_ENDING:
        return [source]
    folder = place if place.is_folder else Place(place.storage, f"{place.path}/")
    return [str(file.addresses()["claid_storage_uri"]) for file in service.storages.files(folder, recursive=recursive)]


_SCOPE = "image_editing"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation("edit_image", "POST", "/image/edit", _SCOPE, _edit, EditRequest, "image", _one_image),
    Operation(
        "upload_and_edit", "POST", "/image/edit/upload", _SCOPE, _upload, UploadData, "image", _one_image, form=True
    ),
    Operation("submit_edit", "POST", "/image/edit/async", _SCOPE, _submit, EditRequest, "image", _one_image),
    Operation(
        "submit_batch_edit",
        "POST",
        "/image/edit/batch",
        _SCOPE,
        _submit_batch,
        BatchEditRequest,
        "image",
        _batch_charge,
    ),
    job_reader("get_edit", "submit_edit", "/image/edit/async", _SCOPE),
    job_reader("get_batch_edit", "submit_batch_edit", "/image/edit/batch", _SCOPE),
)
