"""The calls for jobs: the path, the scope and the quota of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.client.models.jobs import JobKind
from airflow_claid.client.quota.rate_limits import Group
from airflow_claid.client.transport import Call

EDITING = "image_editing"
STORAGE = "storage"
SCENES = "image_generation"
VIDEOS = "video_generation"

_JOBS = {
    JobKind.EDIT: ("image/edit/async", EDITING, Group.IMAGE),
    JobKind.BATCH_EDIT: ("image/edit/batch", EDITING, Group.IMAGE),
    JobKind.AI_EDIT: ("image/ai-edit", EDITING, Group.AI_EDIT),
    JobKind.FASHION_MODEL: ("image/ai-fashion-models", EDITING, Group.FASHION),
    JobKind.VIDEO: ("video/generate", VIDEOS, Group.VIDEO),
}
"""Path, scope and quota of each kind of job; the operations are called ``submit_KIND`` and ``get_KIND``."""


def submission(kind: JobKind, body: Mapping[str, Any]) -> Call:
    """Return the call that submits a job."""
    path, scope, group = _JOBS[kind]
    return Call(f"submit_{kind.value}", "POST", path, scope, json=body, group=group)


def poll(kind: JobKind, job_id: int) -> Call:
    """Return the call that polls a job.

    :raises ClaidValidationError: if the id is not a whole number.
    """
    path, scope, group = _JOBS[kind]
    return Call(f"get_{kind.value}", "GET", f"{path}/{identifier(job_id, 'job_id')}", scope, group=group)


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
