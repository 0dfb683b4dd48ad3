"""Connected storages: names of buckets, and the objects behind ``storage://NAME/PATH``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

from airflow_claid.sandbox import buckets, errors
from airflow_claid.sandbox.settings import StorageSettings

SCHEME = "storage://"


@dataclass(frozen=True)
class Storage:
    """A connected storage. The ``bucket`` of a web folder is its base URL."""

    id: int
    settings: StorageSettings
    created_at: str

    def to_json(self, *, detail: bool) -> dict[str, Any]:
        """Return the storage as the API shows it: with the access key only in ``detail``, never with the secret."""
        settings = self.settings
        parameters: dict[str, Any]
        if settings.type == "web_folder":
            parameters = {"base_url": settings.bucket}
        else:
            parameters = {"path": settings.path, "bucket": settings.bucket}
            if detail:
                parameters["credentials"] = {"access_key": settings.access_key}
        return {
            "id": self.id,
            "name": settings.name,
            "type": settings.type,
            "parameters": parameters,
            "created_at": self.created_at,
        }


@dataclass(frozen=True)
class Place:
    """A file or folder in a connected storage: ``path`` as in the address, ``key`` as in the bucket."""

    storage: Storage
    path: str

    @property
    def is_folder(self) -> bool:
        """Whether the address ends with ``/``, or names the whole storage."""
        return self.path == "" or self.path.endswith("/")

    @property
    def key(self) -> str:
        """The key of the object: the storage's prefix and the path."""
        prefix = self.storage.settings.path.strip("/")
        return f"{prefix}/{self.path}" if prefix else self.path

    def file(self, name: str) -> Place:
        """Return a file in this folder."""
        return replace(self, path=self.path + name)

    def addresses(self) -> dict[str, Any]:
        """Return the four ``object_*`` and ``claid_storage_uri`` fields of an answer."""
        settings = self.storage.settings
        scheme = "gs" if settings.type == "gcs" else "s3"
        return {
            "object_key": self.key,
            "object_bucket": settings.bucket,
            "object_uri": f"{scheme}://{settings.bucket}/{self.key}",
            "claid_storage_uri": f"{SCHEME}{settings.name}/{self.path}",
        }


class Storages:
    """All connected storages, and the locations of their buckets."""

    def __init__(self, storages: Iterable[StorageSettings], locations: Mapping[str, str]) -> None:
        self._first_settings = tuple(storages)
        self._locations = dict(locations)
        self._first_locations = dict(locations)
        self._lock = threading.Lock()
        self._storages: dict[int, Storage] = {}
        self._buckets: dict[tuple[StorageSettings, str], buckets.Bucket] = {}
        self._last_id = 0
        self.reset()

    def reset(self) -> None:
        """Restore the storages and locations of the start."""
        with self._lock:
            self._storages.clear()
            self._buckets.clear()
            self._locations = dict(self._first_locations)
        for settings in self._first_settings:
            self.connect(settings)

    def locate(self, bucket: str, location: str) -> None:
        """Set the location of a bucket: an ``http`` endpoint, a folder, or a ``file://`` address."""
        with self._lock:
            self._locations[bucket] = location

    def connect(self, settings: StorageSettings) -> Storage:
        """Connect a storage; refuse a name that is in use."""
        with self._lock:
            self._refuse_used_name(settings.name)
            self._last_id += 1
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            storage = Storage(self._last_id, settings, now)
            self._storages[storage.id] = storage
        return storage

    def all(self) -> list[Storage]:
        """Return all storages, oldest first."""
        with self._lock:
            return list(self._storages.values())

    def get(self, storage_id: int) -> Storage:
        """Return one storage, or refuse with 404."""
        with self._lock:
            return self._get(storage_id)

    def change(self, storage_id: int, settings: StorageSettings) -> Storage:
        """Replace the settings of a storage."""
        with self._lock:
            storage = self._get(storage_id)
            if settings.name != storage.settings.name:
                self._refuse_used_name(settings.name)
            changed = replace(storage, settings=settings)
            self._storages[storage_id] = changed
        return changed

    def remove(self, storage_id: int) -> None:
        """Disconnect a storage; the bucket keeps its objects."""
        with self._lock:
            self._get(storage_id)
            del self._storages[storage_id]

    def place(self, address: str) -> Place:
        """Parse ``storage://NAME/PATH``; refuse an unknown name."""
        name, _, path = unquote(address.removeprefix(SCHEME)).partition("/")
        if not address.startswith(SCHEME) or not name:
            raise errors.bad_storage(f"'{address}' is not of the form storage://NAME/PATH.")
        if "\0" in path or ".." in path.split("/"):
            raise errors.bad_storage(f"The path of '{address}' leaves its bucket.")
        for storage in self.all():
            if storage.settings.name == name:
                return Place(storage, path)
        raise errors.bad_storage(f"Storage '{name}' not found.")

    def read(self, place: Place) -> bytes:
        """Return the bytes of an object. Blocks."""
        try:
            return self._bucket(place.storage.settings).read(place.key)
        except buckets.BucketError as error:
            raise errors.bad_storage(str(error)) from error

    def read_object(self, uri: str) -> bytes:
        """Return the bytes of an ``object_uri``, through any storage of its bucket. Blocks."""
        bucket, _, key = uri.partition("://")[2].partition("/")
        for storage in self.all():
            if storage.settings.type != "web_folder" and storage.settings.bucket == bucket:
                try:
                    return self._bucket(storage.settings).read(key)
                except buckets.BucketError as error:
                    raise errors.bad_storage(str(error)) from error
        raise errors.bad_storage(f"No storage has the bucket '{bucket}'.")

    def write(self, place: Place, content: bytes, mime: str) -> None:
        """Write an object. Blocks."""
        try:
            self._bucket(place.storage.settings).write(place.key, content, mime)
        except buckets.BucketError as error:
            raise errors.bad_storage(str(error)) from error

    def files(self, folder: Place, *, recursive: bool) -> list[Place]:
        """Return the files of a folder, sorted by name. Blocks."""
        prefix = folder.key
        try:
            keys = self._bucket(folder.storage.settings).list(prefix)
        except buckets.BucketError as error:
            raise errors.bad_storage(str(error)) from error
        names = (key[len(prefix) :] for key in keys)
        return [folder.file(name) for name in names if name and (recursive or "/" not in name)]

    def check_writable(self, place: Place) -> None:
        """Refuse a place that cannot be written."""
        if place.storage.settings.type == "web_folder":
            raise errors.bad_storage(f"Storage '{place.storage.settings.name}' is a web folder and can only be read.")
        self._bucket(place.storage.settings)

    def _bucket(self, settings: StorageSettings) -> buckets.Bucket:
        if settings.type == "web_folder":
            return buckets.WebFolder(settings.bucket)
        with self._lock:
            location = self._locations.get(settings.bucket)
            if location is None and "*" in self._locations:
                location = self._locations["*"]
                if not location.startswith(("http://", "https://")):
                    location = f"{location.rstrip('/')}/{settings.bucket}"
            if location is None:
                raise errors.bad_storage(f"Bucket '{settings.bucket}' cannot be reached.")
            bucket = self._buckets.get((settings, location))
            if bucket is None:
                try:
                    bucket = buckets.open_bucket(
                        location, settings.bucket, settings.type, settings.access_key, settings.secret_access_key
                    )
                except buckets.BucketError as error:
                    raise errors.bad_storage(str(error)) from error
                self._buckets[settings, location] = bucket
        return bucket

    def _get(self, storage_id: int) -> Storage:
        if storage_id not in self._storages:
            raise errors.not_found("Storage")
        return self._storages[storage_id]

    def _refuse_used_name(self, name: str) -> None:
        if any(storage.settings.name == name for storage in self._storages.values()):
            raise errors.bad_storage(f"A storage named '{name}' exists already.")
