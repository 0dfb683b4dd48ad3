"""Files in object storage, by ``ObjectStoragePath``: read, written whole or not at all, looked for."""

from __future__ import annotations

import errno
import logging
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined,unused-ignore]
from airflow.sdk import ObjectStoragePath

from airflow_claid.client import ClaidMissingConnectionError, ClaidValidationError
from airflow_claid.storage import local_files
from airflow_claid.storage.addresses import BUCKETS, local_path, scheme_of, without_connection
from airflow_claid.storage.local_files import in_blocks
from airflow_claid.storage.stored_files import StoredFile, WrittenFile, checksum_in, stored_file

log: logging.Logger = logging.getLogger(__name__)

_Told = TypeVar("_Told")

BLOCK_BYTES = 8 << 20
"""Bytes that are read or sent at once; S3 takes no less than 5 MiB, Google wants a multiple of 256 KiB."""

_PASSING = {errno.EBUSY, errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO)}
"""What s3fs makes of the answers 503, 500 and unknown ones."""

_TELLING = {bucket.scheme for bucket in BUCKETS}
"""Buckets that answer an upload with the checksum of what was written."""

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


class OverwriteRefusedError(OSError):
    """A storage has another content under this name, and refuses to overwrite it; nothing was written."""


class ListingRefusedError(PermissionError):
    """A bucket may not be listed, and so does not tell a file that is not there from one that may not be read."""


def next_name(uri: str, number: int) -> str:
    """Return the n-th of the names that follow on one which cannot be overwritten: ``a.json``, ``a.2.json``, …."""
    if number == 1:
        return uri
    stem, dot, suffix = uri.rpartition(".")
    return f"{stem}.{number}{dot}{suffix}"


def write_whole(uri: str, content: bytes) -> str | None:
    """Write a file that appears under its name only when it is whole.

    A file of the same content that may not be overwritten is as good as written.

    :returns: the checksum that the bucket told of it; ``None`` where it told none.
    :raises OverwriteRefusedError: if there is another content that may not be overwritten.
    """
    local = local_path(uri)
    if local is not None:
        local_files.write_whole(local, content)
        return None
    return _upload_or_create(uri, lambda: (content,), None)


def write_beside(uri: str, content: bytes) -> WrittenFile:
    """Write a file whole; where its name cannot be overwritten, under the next free one."""
    address, checksum = _beside(uri, lambda address: write_whole(address, content))
    if checksum is None and local_path(uri) is None:
        file = find(address)
        checksum = file.checksum if file else None
    return WrittenFile(address, checksum)


def _beside(uri: str, write: Callable[[str], _Told]) -> tuple[str, _Told]:
    """Write a file under the first name that can be written; return its address, and what the writing returned."""
    number = 1
    while True:
        address = next_name(uri, number)
        try:
            return address, write(address)
        except OverwriteRefusedError as error:
            log.warning("%s: what is new is written under the next name", error)
            number += 1


def latest(uri: str) -> str:
    """Return the address of the last file that :func:`write_streamed_beside` wrote; the first, where there is none."""
    number = 1
    while local_path(uri) is None and find(next_name(uri, number + 1)) is not None:
        number += 1
    return next_name(uri, number)


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
    try:
        content: bytes = path.fs.cat_file(path.path)
    except OSError as error:
        raise _explained(uri, path, error) from error
    return content


def reader(uri: str) -> Callable[[int, int], bytes]:
    """Return what reads a part of a file: the bytes from a position to another.

    :raises FileNotFoundError: when it reads, if the file is not there.
    """
    local = local_path(uri)
    if local is not None:
        return partial(local_files.read_part, local)
    path = located(uri)

    def read_part(start: int, end: int) -> bytes:
        content: bytes = path.fs.cat_file(path.path, start=start, end=end)
        return content

    return read_part


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


def find(uri: str, parameter: str = "output") -> StoredFile | None:
    """Look for one file; ``None`` only where it truly is not there.

    :param parameter: the parameter that the address came from, for the error.
    """
    info = _info(uri, parameter)
    return stored_file(uri, info) if info is not None and info["type"] == "file" else None


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
    except OSError as error:
        raise _explained(uri, path, error) from error
    return info


def write_streamed(uri: str, lines: Callable[[], Iterable[bytes]]) -> None:
    """Write a file, line by line, that appears under its name only when it is whole.

    A file of the same content that may not be overwritten is as good as written.

    :param lines: returns the lines, each time from the first.
    :raises OverwriteRefusedError: if there is another content that may not be overwritten.
    """
    local = local_path(uri)
    if local is not None:
        local_files.write_streamed(local, lines())
    else:
        _upload_or_create(uri, lambda: in_blocks(lines()), BLOCK_BYTES)


def write_streamed_beside(uri: str, lines: Callable[[], Iterable[bytes]]) -> str:
    """Write a file as :func:`write_streamed` does, where its name cannot be overwritten under the next free one."""
    return _beside(uri, lambda address: write_streamed(address, lines))[0]


def check_writable(uri: str) -> None:
    """Make sure that a file can be written, by an upload that is begun and given up: nothing of it is to be seen.

    :raises Exception: whatever the storage refuses it with.
    """
    local = local_path(uri)
    if local is not None:
        local_files.check_writable(local)
        return
    path = located(uri)
    upload = path.fs.open(path.path, "xb", block_size=BLOCK_BYTES, autocommit=False)
    try:
        upload.write(b"\n" * BLOCK_BYTES)
    finally:
        with suppress(Exception):
            upload.discard()
        upload.closed = True


def _upload_or_create(uri: str, blocks: Callable[[], Iterable[bytes]], block_size: int | None) -> str | None:
    """Upload a file; if that is refused, create it exclusively, which a bucket may allow that never overwrites.

    :param block_size: bytes that are sent at once; ``None``: the file as a whole.
    :returns: the checksum that the bucket told of it; ``None`` where it told none.
    """
    path = located(uri)
    try:
        scheme = scheme_of(without_connection(uri))
        if block_size is None and scheme in _TELLING:
            return _put(path, b"".join(blocks()), scheme)
        _upload(path, blocks(), "wb", block_size)
    except OSError as refusal:
        if may_pass(refusal):
            raise
        try:
            _upload(path, blocks(), "xb", block_size)
        except (OSError, ValueError, NotImplementedError) as error:
            if not isinstance(error, FileExistsError) and find(uri) is None:
                raise refusal from None
            if not _holds(path, blocks()):
                raise OverwriteRefusedError(
                    f"{uri} is there with another content, and its storage refuses to overwrite it ({refusal})"
                ) from refusal
    return None


def _put(path: ObjectStoragePath, content: bytes, scheme: str) -> str | None:
    """Upload a file in one request; return the checksum that its answer tells, which spares another look at the file.

    A very large file goes in parts, whose answers tell none.
    """
    kind = {"content_type": mimetypes.guess_type(path.path)[0] or "application/octet-stream"} if scheme == "gs" else {}
    answer = path.fs.pipe_file(path.path, content, **kind)
    return checksum_in(answer) if isinstance(answer, Mapping) else None


def _upload(path: ObjectStoragePath, blocks: Iterable[bytes], mode: str, block_size: int | None) -> None:
    """Upload a file by its file system, which reports nothing to Airflow's lineage.

    A file that is sent as a whole is one request, and its checksum in S3 that of its content.
    """
    in_parts = block_size is not None
    upload = path.fs.open(path.path, mode, block_size=block_size, autocommit=not in_parts)
    try:
        upload.writelines(blocks)
        upload.close()
        if in_parts:
            upload.commit()
    except BaseException:
        with suppress(Exception):
            upload.discard()
        upload.closed = True
        raise


def _holds(path: ObjectStoragePath, blocks: Iterable[bytes]) -> bool:
    """Tell whether a file has this content."""
    path.fs.invalidate_cache()
    with path.fs.open(path.path, "rb", block_size=BLOCK_BYTES) as file:
        return all(file.read(len(block)) == block for block in blocks) and not file.read(1)


def is_forbidden(error: OSError) -> bool:
    """Tell whether a bucket answered 403; gcsfs has no type of its own for that."""
    return isinstance(error, PermissionError) or str(error).startswith("Forbidden")


def _explained(uri: str, path: ObjectStoragePath, error: OSError) -> OSError:
    """Return the error, or one that says that a 403 is for want of the right to list the bucket."""
    if not is_forbidden(error):
        return error
    try:
        path.fs.ls(path.path.rpartition("/")[0], refresh=True)
    except OSError as refusal:
        if is_forbidden(refusal):
            return listing_refused(uri)
    return error


def listing_refused(uri: str) -> ListingRefusedError:
    """Return the error that says what it means that a bucket may not be listed."""
    return ListingRefusedError(
        f"The connection may not list {without_connection(uri).rpartition('/')[0]}/, and without that right a bucket "
        "answers 403 Forbidden to each file that is not there, so that nobody can tell whether it is. Give the "
        "connection s3:ListBucket on the bucket (Google: storage.objects.list)"
    )


def may_pass(error: OSError) -> bool:
    """Tell whether an error is no refusal, but one that a later attempt may not meet."""
    return isinstance(error, (TimeoutError, ConnectionError)) or error.errno in _PASSING


def remove_empty_folders(folder: str) -> None:
    """Remove a local folder and the one that it is in, as far as nothing is left in them; a bucket has no folders."""
    local = local_path(folder)
    if local is not None:
        local_files.remove_empty_folders(local)
