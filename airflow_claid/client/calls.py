"""The calls of the paid operations and of jobs: path, scope, quota and body of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_claid.client.call import Call
from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.client.finding import as_job_id
from airflow_claid.client.models.jobs import JobKind
from airflow_claid.client.quota.rate_limits import Group

if TYPE_CHECKING:
    from airflow_claid.client.models.edit import EditRequest, UploadRequest
    from airflow_claid.client.models.generate import GenerateRequest
    from airflow_claid.client.models.scene import SceneRequest

EDITING = "image_editing"
STORAGE = "storage"
SCENES = "image_generation"
VIDEOS = "video_generation"

_SUBMIT = "submit_"
_JOBS = {
    JobKind.EDIT: ("image/edit/async", EDITING, Group.IMAGE),
    JobKind.BATCH_EDIT: ("image/edit/batch", EDITING, Group.IMAGE),
    JobKind.AI_EDIT: ("image/ai-edit", EDITING, Group.AI_EDIT),
    JobKind.FASHION_MODEL: ("image/ai-fashion-models", EDITING, Group.FASHION),
    JobKind.VIDEO: ("video/generate", VIDEOS, Group.VIDEO),
}
"""Path, scope and quota of each kind of job; the operations are called ``submit_KIND`` and ``get_KIND``."""


def generation(request: GenerateRequest) -> Call:
    """Return the call that generates images."""
    return Call("generate_image", "POST", "image/generate", EDITING, json=request.to_json())


def edit(request: EditRequest) -> Call:
    """Return the call that edits a picture and is answered at once."""
    return Call("edit_image", "POST", "image/edit", EDITING, json=request.to_json())


def scene(request: SceneRequest) -> Call:
    """Return the call that puts a product into a scene."""
    return Call("create_scene", "POST", "scene/create", SCENES, json=request.to_json())


def upload(file: bytes, filename: str, request: UploadRequest) -> Call:
    """Return the call that uploads a picture and edits it.

    :raises ClaidValidationError: if the file is empty.
    """
    if not file:
        raise ClaidValidationError(f"file={filename!r} is empty: pass the bytes of a picture")
    return Call(
        "upload_and_edit",
        "POST",
        "image/edit/upload",
        EDITING,
        form={"data": json.dumps(request.to_json())},
        files={"file": (filename, file)},
    )


def submission(kind: JobKind, body: Mapping[str, Any]) -> Call:
    """Return the call that submits a job."""
    path, scope, group = _JOBS[kind]
    return Call(f"{_SUBMIT}{kind.value}", "POST", path, scope, json=body, group=group)


def group_of(kind: JobKind | None) -> Group:
    """Return the quota that the submissions of a kind of job count in; without a kind, that of answers at once."""
    return Group.IMAGE if kind is None else _JOBS[kind][2]


def is_submission(operation: str) -> bool:
    """Return whether an operation, by its id in the contract, submits a job."""
    return operation.startswith(_SUBMIT)


def poll(kind: JobKind, job_id: int | str) -> Call:
    """Return the call that polls a job.

    :raises ClaidValidationError: if it is no id of a job.
    """
    path, scope, group = _JOBS[kind]
    known = as_job_id(job_id)
    if known is None:
        raise ClaidValidationError(f"job_id={job_id!r} must be the id that Claid gave: a number, or a text")
    return Call(f"get_{kind.value}", "GET", f"{path}/{quote(str(known), safe='')}", scope, group=group)


def storage_path(storage_id: int) -> str:
    """Return the path of one storage.

    :raises ClaidValidationError: if the id is not a whole number.
    """
    return f"storage/storages/{identifier(storage_id, 'storage_id')}"


def identifier(value: int, name: str) -> int:
    """Return an id of Claid's, checked.

    :raises ClaidValidationError: if it is not a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ClaidValidationError(f"{name}={value!r} must be the whole number that Claid gave")
    return value
