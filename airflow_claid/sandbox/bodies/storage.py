"""Bodies of the storage operations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from airflow_claid.sandbox.bodies.base import Body, Omittable, OpenBody

StorageType = Literal["web_folder", "s3", "gcs"]
StorageName = Annotated[str, StringConstraints(max_length=50)]
NotEmpty = Annotated[str, StringConstraints(min_length=1)]


class Credentials(Body):
    """An S3 key pair, or a Google HMAC key pair."""

    access_key: NotEmpty
    secret_access_key: NotEmpty


class BucketParameters(Body):
    """A bucket, and the prefix of every path in it."""

    bucket: NotEmpty
    credentials: Credentials
    path: str = ""


class WebFolderParameters(OpenBody):
    """A folder on the web, which is read-only."""

    base_url: str


class StorageIn(Body):
    """Body of ``POST /v1/storage/storages``."""

    name: StorageName
    type: StorageType
    parameters: BucketParameters | WebFolderParameters


class CredentialsPatch(Body):
    """New keys, one or both."""

    access_key: Omittable[NotEmpty] = None
    secret_access_key: Omittable[NotEmpty] = None


class BucketPatch(Body):
    """Changes to a bucket."""

    bucket: Omittable[NotEmpty] = None
    path: Omittable[str] = None
    credentials: Omittable[CredentialsPatch] = None


class StoragePatch(Body):
    """Body of ``PATCH /v1/storage/storages/{storage_id}``; fields that are left out stay the same."""

    name: Omittable[StorageName] = None
    type: Omittable[StorageType] = None
    parameters: Omittable[BucketPatch | WebFolderParameters] = None
