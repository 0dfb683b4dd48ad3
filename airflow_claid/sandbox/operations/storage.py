"""Storages connected to the account: list, connect, change and remove them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.storage import (
    BucketParameters,
    BucketPatch,
    StorageIn,
    StoragePatch,
    WebFolderParameters,
)
from airflow_claid.sandbox.pipeline import JSON, Call, Operation
from airflow_claid.sandbox.settings import STORAGE_TYPES, StorageSettings


async def _types(_: Call[None]) -> JSON:
    return {"data": list(STORAGE_TYPES)}


async def _list(call: Call[None]) -> JSON:
    return {"data": [storage.to_json(detail=False) for storage in call.service.storages.all()]}


async def _create(call: Call[StorageIn]) -> JSON:
    body = call.body
    if (body.type == "web_folder") != isinstance(body.parameters, WebFolderParameters):
        raise _wrong_parameters(body.type)
    if isinstance(body.parameters, BucketParameters):
        keys = body.parameters.credentials
        settings = StorageSettings(
            body.name, body.parameters.bucket, body.type, body.parameters.path, keys.access_key, keys.secret_access_key
        )
    else:
        settings = StorageSettings(body.name, body.parameters.base_url, body.type)
    return {"data": call.service.storages.connect(settings).to_json(detail=True)}


async def _get(call: Call[None]) -> JSON:
    return {"data": call.service.storages.get(call.number).to_json(detail=True)}


async def _update(call: Call[StoragePatch]) -> JSON:
    body, old = call.body, call.service.storages.get(call.number).settings
    settings = replace(old, **{name: value for name, value in (("name", body.name), ("type", body.type)) if value})
    if (settings.type == "web_folder") != (old.type == "web_folder") and body.parameters is None:
        raise _wrong_parameters(settings.type)
    if isinstance(body.parameters, WebFolderParameters):
        if settings.type != "web_folder":
            raise _wrong_parameters(settings.type)
        settings = replace(settings, bucket=body.parameters.base_url)
    elif isinstance(body.parameters, BucketPatch):
        if settings.type == "web_folder":
            raise _wrong_parameters(settings.type)
        settings = _patched(settings, body.parameters)
    return {"data": call.service.storages.change(call.number, settings).to_json(detail=True)}


def _patched(settings: StorageSettings, patch: BucketPatch) -> StorageSettings:
    changes: dict[str, Any] = {"bucket": patch.bucket, "path": patch.path}
    if patch.credentials:
        changes["access_key"] = patch.credentials.access_key
        changes["secret_access_key"] = patch.credentials.secret_access_key
    return replace(settings, **{name: value for name, value in changes.items() if value is not None})


async def _delete(call: Call[None]) -> JSON:
    call.service.storages.remove(call.number)
    return {"data": None}


def _wrong_parameters(storage_type: str) -> errors.Refused:
    expected = "base_url" if storage_type == "web_folder" else "bucket and credentials"
    return errors.invalid_field("parameters", f"a storage of type {storage_type} takes {expected}")


_ALL, _ONE, _SCOPE = "/storage/storages", "/storage/storages/{number}", "storage"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation("list_storage_types", "GET", "/storage/storage-types", _SCOPE, _types),
    Operation("list_storages", "GET", _ALL, _SCOPE, _list),
    Operation("create_storage", "POST", _ALL, _SCOPE, _create, body=StorageIn),
    Operation("get_storage", "GET", _ONE, _SCOPE, _get),
    Operation("update_storage", "PATCH", _ONE, _SCOPE, _update, body=StoragePatch),
    Operation("delete_storage", "DELETE", _ONE, _SCOPE, _delete),
)
