"""Read inputs and deliver pictures: web addresses, connected storages, temporary addresses."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_claid.sandbox import buckets, errors
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import SCHEME, Place

NO_OBJECT: dict[str, Any] = {
    "object_key": None,
    "object_bucket": None,
    "object_uri": None,
    "claid_storage_uri": None,
}
"""The ``object_*`` fields of a picture at a temporary address."""


@dataclass(frozen=True)
class File:
    """A picture to deliver: its bytes, mime type and file extension, and its file name if it goes to a folder."""

    content: bytes
    mime: str
    extension: str
    name: str


def destination(service: Service, field: str, address: str | None) -> Place | None:
    """Return the place that output goes to, None for a temporary address. Refuse a place that cannot be written."""
    if address is None:
        return None
    if not address.startswith(SCHEME):
        raise errors.invalid_field(field, "must be a connected storage, storage://NAME/PATH")
    place = service.storages.place(address)
    service.storages.check_writable(place)
    return place


def folder_destination(service: Service, field: str, address: str | None) -> Place | None:
    """Return the folder that output goes to, None for a temporary address. A folder's address must end with ``/``."""
    if address is not None and address.startswith(SCHEME) and not address.endswith("/"):
        raise errors.invalid_field(field, "must be a folder: the path must end with '/'")
    return destination(service, field, address)


def deliver(service: Service, place: Place | None, file: File) -> dict[str, Any]:
    """Write a picture to its place; return ``tmp_url`` and the ``object_*`` fields of an answer. Blocks."""
    if place is None:
        path = service.temporary.add_file(file.content, file.mime, file.extension)
        return {"tmp_url": service.base_url + path, **NO_OBJECT}
    target = place.file(file.name) if place.is_folder else place
    service.storages.write(target, file.content, file.mime)
    return {"tmp_url": None, **target.addresses()}


def addresses_of(image: dict[str, Any]) -> str:
    """Return the address of a delivered picture, for the ledger."""
    return str(image.get("tmp_url") or image.get("object_uri"))


def unpredictable_name(extension: str) -> str:
    """Return a random file name, in the form that Claid uses."""
    return f"Claid_{uuid.uuid4().hex}.{extension}"


def stem_of(address: str) -> str:
    """Return the file name of an input without its extension."""
    path = address.removeprefix(SCHEME) if address.startswith(SCHEME) else urlsplit(address).path
    return PurePosixPath(unquote(path)).stem.replace("\0", "") or "image"


def fetch(service: Service, address: str) -> bytes:
    """Return the bytes of an input, or refuse with 400. Blocks.

    The sandbox reads its own temporary addresses directly, not over HTTP.
    """
    if address.startswith(SCHEME):
        return service.storages.read(service.storages.place(address))
    if not address.startswith(("http://", "https://")):
        raise errors.bad_image(f"The input '{address[:200]}' is neither an http address nor a connected storage.")
    own_addresses = f"{service.base_url}/tmp/"  # noqa: S108 - an address
    if address.startswith(own_addresses):
        folder, _, name = address.removeprefix(own_addresses).partition("/")
        download = service.temporary.fetch(folder, name, service.settings.ttl)
        if download is None:
            raise errors.bad_image(f"The input '{address}' has expired or never existed.")
        return download.content
    try:
        return buckets.fetch(address)
    except buckets.BucketError as error:
        raise errors.bad_image(f"The input '{address[:200]}' cannot be fetched: {error}") from error
