"""Buckets behind storages: a local folder, S3 or Google Cloud Storage at an endpoint, a folder on the web."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import requests

SECONDS_PER_CALL = 30
MAX_BYTES = 200 * 1024 * 1024


class BucketError(Exception):
    """A bucket cannot be reached, or refuses a request."""


class MissingObjectError(BucketError):
    """The object does not exist."""


class Bucket(Protocol):
    """What the sandbox needs of a bucket. Keys are whole object keys. All calls block."""

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        ...

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Write an object."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""
        ...


class FolderBucket:
    """A bucket in a local folder. An object appears only when it is complete."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, key: str) -> bytes:
        """Return a file's bytes."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise MissingObjectError(f"There is no object {key!r}.") from error

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Write a temporary file in the same folder, then rename it."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".claid-")
        except OSError as error:
            raise BucketError(f"The object {key!r} cannot be written: {error.strerror}.") from error
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise BucketError(f"The object {key!r} cannot be written: {error.strerror}.") from error

    def list(self, prefix: str) -> list[str]:
        """Return the keys of all files that begin with a prefix."""
        if not self._root.is_dir():
            return []
        keys = (path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file())
        return sorted(key for key in keys if key.startswith(prefix) and "/.claid-" not in f"/{key}")

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if "\0" in key or ".." in key.split("/") or not path.is_relative_to(self._root):
            raise BucketError(f"The path {key!r} leaves its bucket.")
        return path


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
        with _bucket_errors("S3", key):
            content: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
        return content

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Put an object."""
        with _bucket_errors("S3", key):
            self._client.put_object(Bucket=self._name, Key=key, Body=content, ContentType=mime)

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""
        with _bucket_errors("S3", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]


@contextlib.contextmanager
def _bucket_errors(service: str, key: str) -> Any:
    """Raise botocore's errors as :class:`BucketError`."""
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
    """A bucket at a Google Cloud Storage endpoint, by its JSON API. It sends no credentials: emulators need none."""

    def __init__(self, name: str, endpoint: str) -> None:
        self._name = quote(name, safe="")
        self._endpoint = endpoint.rstrip("/")
        self._session = requests.Session()

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        path = f"/storage/v1/b/{self._name}/o/{quote(key, safe='')}"
        return self._request("GET", path, key, params={"alt": "media"}).content

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Upload an object in one request."""
        path = f"/upload/storage/v1/b/{self._name}/o"
        parameters = {"uploadType": "media", "name": key}
        self._request("POST", path, key, params=parameters, data=content, headers={"Content-Type": mime})

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""
        keys: list[str] = []
        parameters = {"prefix": prefix}
        while True:
            answer = self._request("GET", f"/storage/v1/b/{self._name}/o", prefix, params=parameters).json()
            keys += [item["name"] for item in answer.get("items", [])]
            if not answer.get("nextPageToken"):
                return keys
            parameters = {"prefix": prefix, "pageToken": answer["nextPageToken"]}

    def _request(self, method: str, path: str, key: str, **options: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self._endpoint + path, timeout=SECONDS_PER_CALL, **options)
        except requests.RequestException as error:
            raise BucketError(f"Google Cloud Storage cannot be reached for the object {key!r}: {error}") from error
        if answer.status_code == 404 and method == "GET":
            raise MissingObjectError(f"There is no object {key!r}.")
        if not answer.ok:
            raise BucketError(f"Google Cloud Storage refused the object {key!r}: {answer.status_code}.")
        return answer


class WebFolder:
    """A folder on the web. It can be read, but not written or listed."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")

    def read(self, key: str) -> bytes:
        """Fetch a file."""
        return fetch(f"{self._base}/{quote(key)}")

    def write(self, key: str, content: bytes, mime: str) -> None:
        """Refuse: a web folder is read-only."""
        raise BucketError("A web folder can only be read; choose a storage of type s3 or gcs for output.")

    def list(self, prefix: str) -> list[str]:
        """Refuse: a web folder cannot be listed."""
        raise BucketError("A web folder cannot be listed; name the files.")


def fetch(url: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Fetch a web address: at most ``max_bytes`` (200 MiB by default), and at most 10 seconds without a byte."""
    try:
        with requests.get(url, stream=True, timeout=(3, 10), headers={"User-Agent": "claid-sandbox"}) as answer:
            if not answer.ok:
                raise MissingObjectError(f"The address answered {answer.status_code}.")
            content = bytearray()
            for chunk in answer.iter_content(256 * 1024):
                content += chunk
                if len(content) > max_bytes:
                    raise BucketError(f"The file is larger than {max_bytes} bytes.")
            return bytes(content)
    except (requests.RequestException, ValueError) as error:
        raise BucketError(f"The address cannot be fetched: {type(error).__name__}.") from error


def open_bucket(location: str, name: str, storage_type: str, access_key: str, secret_access_key: str) -> Bucket:
    """Open a bucket at its location: an ``http`` endpoint, or a folder."""
    if location.startswith(("http://", "https://")):
        if storage_type == "gcs":
            return GcsBucket(name, location)
        return S3Bucket(name, location, access_key, secret_access_key)
    return FolderBucket(Path(location.removeprefix("file://")))
