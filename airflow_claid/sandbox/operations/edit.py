"""Edits of one picture: answered at once, of an uploaded file, or as a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.sandbox.bodies.edit import EditRequest, ImageOutput, UploadData
from airflow_claid.sandbox.bodies.edit_operations import Operations
from airflow_claid.sandbox.delivery import File, addresses_of, deliver, destination, fetch, stem_of
from airflow_claid.sandbox.drawing import editing, encoding
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import Place

CREDITS_PER_IMAGE = 1.0
FORMAT_OF_EXTENSION = {
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
    """A checked edit: what to do with a picture, and where to put the result."""

    operations: Operations
    output: ImageOutput
    place: Place | None

    @classmethod
    def checked(cls, service: Service, operations: Operations, output: ImageOutput | str | None) -> Edit:
        """Check all that can be checked without the input."""
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
        output_format = self.output.format or self._format_of_place()
        extension = encoding.name_of(output_format, "jpeg")
        encoded = encoding.write(result, output_format, self.output.metadata)
        file = File(encoded, f"image/{extension}", extension, f"{stem}.{extension}")
        after = encoding.Description(extension, *result.size).to_json()
        return {"input": before.to_json(), "output": {**after, **deliver(service, self.place, file)}}

    def _format_of_place(self) -> Any:
        """Return the format that the file extension of the output says; JPEG without one."""
        if self.place is None or self.place.is_folder:
            return "jpeg"
        return FORMAT_OF_EXTENSION.get(self.place.path.rpartition(".")[2].lower(), "jpeg")


def _charge(_: Any) -> Charge:
    return Charge(CREDITS_PER_IMAGE, 1)


def edit_address(service: Service, edit: Edit, address: str) -> JSON:
    """Fetch a picture, edit it and deliver it. Blocks."""
    return edit.run(service, fetch(service, address), stem_of(address))


def record_picture(call: Call[Any], result: JSON) -> JSON:
    """Record the delivered picture in the ledger; return the result unchanged."""
    call.entry.pictures.append(addresses_of(result["output"]))
    return result


async def _edit(call: Call[EditRequest]) -> JSON:
    edit = Edit.checked(call.service, call.body.operations, call.body.output)
    result = await call.service.in_thread(edit_address, call.service, edit, call.body.input)
    return {"data": record_picture(call, result)}


async def _upload(call: Call[UploadData]) -> JSON:
    edit = Edit.checked(call.service, call.body.operations, call.body.output)
    name, content = call.upload or ("image", b"")
    result = await call.service.in_thread(edit.run, call.service, content, stem_of(f"storage://upload/{name}"))
    return {"data": record_picture(call, result)}


async def _submit(call: Call[EditRequest]) -> JSON:
    edit = Edit.checked(call.service, call.body.operations, call.body.output)

    async def work() -> JSON:
        result = await call.service.in_thread(edit_address, call.service, edit, call.body.input)
        record_picture(call, result)
        return {"input_object": result["input"], "output_object": result["output"]}

    return start_job(call, "/image/edit/async", work())


_SCOPE = "image_editing"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation("edit_image", "POST", "/image/edit", _SCOPE, _edit, body=EditRequest, quota="image", charge=_charge),
    Operation(
        "upload_and_edit",
        "POST",
        "/image/edit/upload",
        _SCOPE,
        _upload,
        body=UploadData,
        quota="image",
        charge=_charge,
        form=True,
    ),
    Operation(
        "submit_edit", "POST", "/image/edit/async", _SCOPE, _submit, body=EditRequest, quota="image", charge=_charge
    ),
    job_reader("get_edit", "submit_edit", "/image/edit/async", _SCOPE),
)
