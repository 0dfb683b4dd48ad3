"""Buckets that storages are connected to: a folder, S3 or Google Cloud Storage at an endpoint, a folder on the web."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import requests

SECONDS_PER_CALL = 30
LARGEST_BYTES = 200 * 1024 * 1024


class BucketError(Exception):
    """A bucket cannot be reached, or cannot do what is asked."""


class MissingObjectError(BucketError):
    """There is no such object."""


class Bucket(Protocol):
    """What the sandbox does with a bucket; keys are whole object keys. All calls block."""

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        ...

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Write an object whole."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""
        ...


class FolderBucket:
    """A bucket that is a local folder; objects appear whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, key: str) -> bytes:
        """Return a file's bytes."""
        try:
            return self._place(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise MissingObjectError(f"There is no object {key!r}.") from error

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Write a file beside its place, then move it there."""
        place = self._place(key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=place.parent, prefix=".claid-")
        except OSError as error:
            raise BucketError(f"The object {key!r} cannot be written: {error.strerror}.") from error
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(place)
        except OSError as error:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise BucketError(f"The object {key!r} cannot be written: {error.strerror}.") from error

    def list(self, prefix: str) -> list[str]:
        """Return the keys of all files below the root that begin with a prefix."""
        if not self._root.is_dir():
            return []
        keys = (path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file())
        return sorted(key for key in keys if key.startswith(prefix) and "/.claid-" not in f"/{key}")

    def _place(self, key: str) -> Path:
        place = (self._root / key).resolve()
        if "\0" in key or ".." in key.split("/") or not place.is_relative_to(self._root):
            raise BucketError(f"The path {key!r} leaves its bucket.")
        return place


class S3Bucket:
    """A bucket at an S3 endpoint, such as moto's or MinIO's; needs boto3."""

    def __init__(self, name: str, endpoint: str, access_key: str, secret_access_key: str) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise BucketError("Buckets at an S3 endpoint need boto3: pip install boto3.") from error
        self._name = name
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_access_key,
            region_name="us-east-1",
            config=Config(
                connect_timeout=5,
                read_timeout=SECONDS_PER_CALL,
                retries={"max_attempts": 2},
                s3={"addressing_style": "path"},
            ),
        )

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        with _told("S3", key):
            content: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
        return content

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Put an object."""
        with _told("S3", key):
            self._client.put_object(Bucket=self._name, Key=key, Body=content, ContentType=mime)

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""
        with _told("S3", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]


@contextlib.contextmanager
def _told(service: str, key: str) -> Any:
    """Turn botocore's many errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in {"NoSuchKey", "404"}:
            raise MissingObjectError(f"There is no object {key!r}.") from error
        raise BucketError(f"{service} refused the object {key!r}: {code}.") from error
    except BotoCoreError as error:
        raise BucketError(f"{service} cannot be reached for the object {key!r}: {error}") from error


class GcsBucket:
    """A bucket at a Google Cloud Storage endpoint, by its JSON API; asks without credentials, as emulators let one."""

    def __init__(self, name: str, endpoint: str) -> None:
        self._name = quote(name, safe="")
        self._endpoint = endpoint.rstrip("/")
        self._session = requests.Session()

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        path = f"/storage/v1/b/{self._name}/o/{quote(key, safe='')}"
        return self._ask("GET", path, key, params={"alt": "media"}).content

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Upload an object in one request."""
        path = f"/upload/storage/v1/b/{self._name}/o"
        parameters = {"uploadType": "media", "name": key}
        self._ask("POST", path, key, params=parameters, data=content, headers={"Content-Type": mime})

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""
        keys: list[str] = []
        parameters = {"prefix": prefix}
        while True:
            answer = self._ask("GET", f"/storage/v1/b/{self._name}/o", prefix, params=parameters).json()
            keys += [item["name"] for item in answer.get("items", [])]
            if not answer.get("nextPageToken"):
                return keys
            parameters = {"prefix": prefix, "pageToken": answer["nextPageToken"]}

    def _ask(self, method: str, path: str, key: str, **given: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self._endpoint + path, timeout=SECONDS_PER_CALL, **given)
        except requests.RequestException as error:
            raise BucketError(f"Google Cloud Storage cannot be reached for the object {key!r}: {error}") from error
        if answer.status_code == 404 and method == "GET":
            raise MissingObjectError(f"There is no object {key!r}.")
        if not answer.ok:
            raise BucketError(f"Google Cloud Storage refused the object {key!r}: {answer.status_code}.")
        return answer


class WebFolder:
    """A folder on the web: can be read, not written or listed."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")

    def read(self, key: str) -> bytes:
        """Fetch a file."""
        return fetch(f"{self._base}/{quote(key)}")

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Refuse."""
        raise BucketError("A web folder can only be read; choose a storage of type s3 or gcs for output.")

    def list(self, prefix: str) -> list[str]:
        """Refuse."""
        raise BucketError("A web folder cannot be listed; name the files.")


def fetch(url: str, largest: int = LARGEST_BYTES) -> bytes:
    """Fetch a web address, at most ``largest`` bytes (200 MiB by default), waiting 10 seconds at most for a byte."""
    try:
        with requests.get(url, stream=True, timeout=(3, 10), headers={"User-Agent": "claid-sandbox"}) as answer:
            if not answer.ok:
                raise MissingObjectError(f"The address answered {answer.status_code}.")
            content = bytearray()
            for piece in answer.iter_content(256 * 1024):
                content += piece
                if len(content) > largest:
                    raise BucketError(f"The file is larger than {largest} bytes.")
            return bytes(content)
    except (requests.RequestException, ValueError) as error:
        raise BucketError(f"The address cannot be fetched: {type(error).__name__}.") from error


def at(where: str, name: str, kind: str, access_key: str, secret_access_key: str) -> Bucket:
    """Open a bucket that settings put ``where``: at an ``http`` endpoint, or in a folder."""
    if where.startswith(("http://", "https://")):
        if kind == "gcs":
            return GcsBucket(name, where)
        return S3Bucket(name, where, access_key, secret_access_key)
    return FolderBucket(Path(where.removeprefix("file://")))
