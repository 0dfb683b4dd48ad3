"""Files in object storage, by ``ObjectStoragePath``: read, written whole or not at all, looked for."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_claid.client import ClaidValidationError

log = logging.getLogger(__name__)

_LOCAL = {"file", "local"}
_ELSEWHERE = {"s3", "s3a", "gs", "gcs"}


def located(uri: str, parameter: str = "output") -> ObjectStoragePath:
    """Open a path such as ``s3://conn@bucket/a.png`` or ``file:///srv/a.png``.

    :param parameter: the parameter that the address came from, for the error.
    :raises ClaidValidationError: if no provider for the scheme is installed.
    """
    try:
        path = ObjectStoragePath(uri)
        path.fs  # noqa: B018 - makes the file system now, so that a missing one is told before credits are spent
    except (ValueError, ImportError) as error:
        scheme = uri.split("://", 1)[0]
        raise ClaidValidationError(
            f"{parameter}={uri!r}: Airflow has no storage for {scheme!r} addresses ({error}). Install the provider "
            "that has it (airflow-claid[amazon] for s3://, airflow-claid[google] for gs://). Nothing was charged."
        ) from None
    return path


def write_whole(uri: str, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    final = _on_this_machine(uri)
    if final is None:
        with located(uri).open("wb") as file:  # type: ignore[no-untyped-call]
            file.write(content)
        return
    with _partial(final, content) as partial:
        partial.replace(final)


def _on_this_machine(uri: str) -> Path | None:
    """Give the path of a local file, by the shortest way; ``None`` for one that is elsewhere."""
    if uri.startswith("file:///"):
        return Path(uri[len("file://") :])
    if uri.partition("://")[0] in _ELSEWHERE:
        return None
    path = located(uri)
    return Path(path.path) if path.protocol in _LOCAL else None


@contextmanager
def _partial(final: Path, content: bytes) -> Iterator[Path]:
    """Write the content beside its final name, hidden, and remove what is left of it in the end."""
    partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")
    try:
        try:
            opened = partial.open("wb")
        except FileNotFoundError:
            final.parent.mkdir(parents=True, exist_ok=True)
            opened = partial.open("wb")
        with opened as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def create_whole(uri: str, content: bytes) -> bool:
    """Write a file, whole, only if there is none of its name; tell whether it was written.

    Of several who try at the same moment one succeeds, where the storage can tell (local folders, S3, Google Cloud
    Storage; elsewhere as far as its file system knows).
    """
    final = _on_this_machine(uri)
    if final is None:
        path = located(uri)
        try:
            path.fs.pipe_file(path.path, content, mode="create")
        except FileExistsError:
            return False
        except (OSError, TypeError, NotImplementedError) as error:
            if find(uri) is not None:
                return False
            log.debug("%s cannot be created exclusively (%s); it is written", uri, type(error).__name__)
            write_whole(uri, content)
        return True
    with _partial(final, content) as partial:
        try:
            os.link(partial, final)
        except FileExistsError:
            return False
    return True


def read_if_there(uri: str) -> bytes | None:
    """Read a file; ``None`` only where it truly is not there.

    :raises Exception: whatever else stopped the reading (permission, timeout, …).
    """
    path = located(uri)
    try:
        content: bytes = path.fs.cat_file(path.path)
    except FileNotFoundError:
        return None
    return content


def remove(uri: str) -> None:
    """Remove a file; one that is not there is removed already."""
    path = located(uri)
    with suppress(FileNotFoundError):
        path.fs.rm_file(path.path)


@dataclass(frozen=True)
class StoredFile:
    """A file in object storage.

    :param uri: its address.
    :param size: bytes.
    :param state: changes whenever the file is written anew.
    :param checksum: changes only with the content; ``None`` where the storage tells none.
    """

    uri: str
    size: int
    state: str
    checksum: str | None = None


def find(uri: str) -> StoredFile | None:
    """Look for one file; ``None`` only where it truly is not there."""
    path = located(uri)
    path.fs.invalidate_cache()
    try:
        info = path.fs.info(path.path)
    except FileNotFoundError:
        return None
    return _stored(uri, info) if info["type"] == "file" else None


def listed(folder: str) -> list[StoredFile]:
    """List the files directly in a folder, by name; a folder that is not there is empty."""
    path = located(folder)
    path.fs.invalidate_cache()
    try:
        infos = path.fs.ls(path.path, detail=True)
    except FileNotFoundError:
        return []
    files = (info for info in infos if info["type"] == "file" and not info["name"].endswith("/"))
    return sorted(
        (_stored(folder + info["name"].rpartition("/")[2], info) for info in files), key=lambda file: file.uri
    )


def listed_below(folder: str) -> list[StoredFile]:
    """List the files in a folder and in all folders in it, by name; a folder that is not there is empty."""
    path = located(folder)
    path.fs.invalidate_cache()
    try:
        infos = path.fs.find(path.path, detail=True)
    except FileNotFoundError:
        return []
    root = path.path.rstrip("/") + "/"
    return sorted(
        (
            _stored(folder + name.removeprefix(root), info)
            for name, info in infos.items()
            if info["type"] == "file" and not name.endswith("/")
        ),
        key=lambda file: file.uri,
    )


def checksum_if_there(uri: str, parameter: str = "output") -> str | None:
    """Give what tells one content of an address from another; ``None`` only where there truly is no file.

    The bucket's own checksum where it has one, else a digest of the bytes: a file that is copied to the same
    address again is the same.

    :param parameter: the parameter that the address came from, for the error.
    """
    path = located(uri, parameter)
    path.fs.invalidate_cache()
    try:
        info = path.fs.info(path.path)
        if info["type"] != "file":
            return None
        return _checksum(info) or hashlib.sha256(path.fs.cat_file(path.path)).hexdigest()
    except FileNotFoundError:
        return None


def _stored(uri: str, info: Mapping[str, Any]) -> StoredFile:
    state = "|".join(str(info[name]) for name in (*_CHECKSUMS, *_TIMES, "size") if info.get(name))
    return StoredFile(uri, int(info["size"]), state, _checksum(info))


def _checksum(info: Mapping[str, Any]) -> str | None:
    return next((str(info[name]) for name in _CHECKSUMS if info.get(name)), None)


_CHECKSUMS = ("ETag", "md5Hash", "crc32c", "content_md5")
_TIMES = ("generation", "LastModified", "updated", "last_modified", "mtime", "ino")
