"""Files in object storage, by ``ObjectStoragePath``: read, written whole or not at all, looked for."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined,unused-ignore]
from airflow.sdk import ObjectStoragePath

from airflow_claid.client import ClaidMissingConnectionError, ClaidValidationError
from airflow_claid.storage import local_files
from airflow_claid.storage.addresses import BUCKETS, local_path

log = logging.getLogger(__name__)

BLOCK_BYTES = 8 << 20
"""Bytes that are read or sent at once; S3 takes no less than 5 MiB, Google wants a multiple of 256 KiB."""

_CHECKSUM_KEYS = ("ETag", "md5Hash", "crc32c", "content_md5")
_TIMES = ("generation", "LastModified", "updated", "last_modified", "mtime", "ino")
_PROVIDERS = ", ".join(f"airflow-claid[{bucket.extra}] for {bucket.scheme}://" for bucket in BUCKETS)


def located(uri: str, parameter: str = "output") -> ObjectStoragePath:
    """Open a path such as ``s3://conn@bucket/a.png`` or ``file:///srv/a.png``.

    :param parameter: the parameter that the address came from, for the error.
    :raises ClaidValidationError: if no provider for the scheme is installed.
    :raises ClaidMissingConnectionError: if Airflow has no connection of the id, and the provider cannot do without.
    """
    try:
        path = ObjectStoragePath(uri)
        path.fs  # noqa: B018 - makes the file system now, so that a missing one is told before credits are spent
    except (ValueError, ImportError) as error:
        scheme = uri.split("://", 1)[0]
        raise ClaidValidationError(
            f"{parameter}={uri!r}: Airflow has no storage for {scheme!r} addresses ({error}). Install the provider "
            f"that has it ({_PROVIDERS})"
        ) from None
    except AirflowNotFoundException as error:
        raise ClaidMissingConnectionError(
            f"{parameter}={uri!r}: Airflow has no connection to this bucket ({error}). Define it, or name one that "
            "there is before the @ of the address"
        ) from None
    return path


def write_whole(uri: str, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    local = local_path(uri)
    if local is not None:
        local_files.write_whole(local, content)
        return
    with located(uri).open("wb") as file:  # type: ignore[no-untyped-call]
        file.write(content)


def create_whole(uri: str, content: bytes) -> bool:
    """Write a file, whole, only if there is none of its name; tell whether it was written.

    Of several who try at the same moment one succeeds, where the storage can tell (local folders, S3, Google Cloud
    Storage; elsewhere as far as its file system knows).
    """
    local = local_path(uri)
    if local is not None:
        return local_files.create_whole(local, content)
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


def add(uri: str, content: bytes) -> None:
    """Add to the end of a local file, beginning a new line; elsewhere, where nothing can be added, write it anew.

    What was there stays, but a crash may leave a part of the new content behind it: the reader must tell.
    """
    local = local_path(uri)
    if local is not None:
        local_files.add(local, content)
    else:
        write_whole(uri, content)


def read(uri: str) -> bytes:
    """Read a file.

    :raises FileNotFoundError: if it is not there.
    """
    local = local_path(uri)
    if local is not None:
        return local_files.read(local)
    path = located(uri)
    content: bytes = path.fs.cat_file(path.path)
    return content


def read_if_there(uri: str) -> bytes | None:
    """Read a file; ``None`` only where it truly is not there.

    :raises Exception: whatever else stopped the reading (permission, timeout, …).
    """
    try:
        return read(uri)
    except FileNotFoundError:
        return None


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


def find(uri: str, parameter: str = "output") -> StoredFile | None:
    """Look for one file; ``None`` only where it truly is not there.

    :param parameter: the parameter that the address came from, for the error.
    """
    info = _info(uri, parameter)
    return stored_file(uri, info) if info is not None and info["type"] == "file" else None


def checksum_if_there(uri: str, parameter: str = "output") -> str | None:
    """Return what :func:`checksum_of` returns for the file of an address; ``None`` only where there truly is none.

    :param parameter: the parameter that the address came from, for the error.
    """
    file = find(uri, parameter)
    try:
        return checksum_of(file) if file else None
    except FileNotFoundError:
        return None


def checksum_of(file: StoredFile, content: bytes | None = None) -> str:
    """Return what tells one content of an address from another.

    The bucket's own checksum where it has one, else a digest of the bytes: a file that is copied to the same
    address again is the same.

    :param content: the file's, where it is known already.
    :raises FileNotFoundError: if it is there no more.
    """
    return file.checksum or hashlib.sha256(read(file.uri) if content is None else content).hexdigest()


def _info(uri: str, parameter: str) -> Mapping[str, Any] | None:
    """Return what the storage tells of a file now; ``None`` only where it truly is not there."""
    local = local_path(uri)
    if local is not None:
        return local_files.info_of(local)
    path = located(uri, parameter)
    path.fs.invalidate_cache()
    try:
        info: Mapping[str, Any] = path.fs.info(path.path)
    except FileNotFoundError:
        return None
    return info


def stored_file(uri: str, info: Mapping[str, Any]) -> StoredFile:
    """Read what a file system tells of a file."""
    state = "|".join(str(info[name]) for name in (*_CHECKSUM_KEYS, *_TIMES, "size") if info.get(name))
    return StoredFile(uri, int(info["size"]), state, checksum_in(info))


def checksum_in(info: Mapping[str, Any]) -> str | None:
    """Return the checksum of a file that a file system tells of; ``None`` where it tells none."""
    return next((str(info[name]) for name in _CHECKSUM_KEYS if info.get(name)), None)


def write_streamed(uri: str, lines: Iterable[bytes]) -> None:
    """Write a file, line by line, that appears under its name only when it is whole."""
    local = local_path(uri)
    if local is not None:
        local_files.write_streamed(local, lines)
        return
    path = located(uri)
    upload = path.fs.open(path.path, "wb", block_size=BLOCK_BYTES, autocommit=False)
    try:
        upload.writelines(lines)
        upload.close()
        upload.commit()
    except BaseException:
        with suppress(Exception):
            upload.discard()
        upload.closed = True
        raise


def remove_empty_folders(folder: str) -> None:
    """Remove a local folder and the one that it is in, as far as nothing is left in them; a bucket has no folders."""
    local = local_path(folder)
    if local is not None:
        local_files.remove_empty_folders(local)
