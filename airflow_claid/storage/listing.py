"""The one way to list a folder.

A folder that is not there is empty. Whatever else stops the listing, also in a folder within it, is raised: files that
could not be seen are never taken for none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow_claid.storage import local_files
from airflow_claid.storage.addresses import local_path, scheme_of, without_connection
from airflow_claid.storage.compact_map import CompactMap
from airflow_claid.storage.object_storage import is_forbidden, listing_refused, located
from airflow_claid.storage.stored_files import StoredFile, checksum_in, moment_of, stored_file

_Info = Mapping[str, Any]
"""What a file system tells of a file."""

_Page = Mapping[str, Any]
"""A part of a listing, as the bucket's API tells it."""

_PAGE = 1000
_GOOGLE_FIELDS = "items(name,size,md5Hash,crc32c,generation,updated),nextPageToken"


def list_files(folder: str, *, recursive: bool = False) -> list[StoredFile]:
    """List the files in a folder, sorted by address.

    :param folder: address, ending with ``/``.
    :param recursive: whether the folders in it count as well.
    """
    return sorted(stream_files(folder, recursive=recursive), key=lambda file: file.uri)


def stream_files(
    folder: str, *, recursive: bool = False, beginning: str = "", parameter: str = "output"
) -> Iterator[StoredFile]:
    """List the files in a folder one after the other, in no certain order; not even a million fill the memory.

    :param folder: address, ending with ``/``.
    :param recursive: whether the folders in it count as well.
    :param beginning: what their paths in the folder begin with, without a ``/``; others are not even listed.
    :param parameter: the parameter that the address came from, for the error.
    """
    for name, info in _infos(folder, recursive=recursive, beginning=beginning, parameter=parameter):
        yield stored_file(folder + name, info)


class Inventory:
    """The files in a folder, by the path in it, with what tells one content from another.

    That is the bucket's checksum where it has one, else (a local folder) the size in bytes. Kept as numbers, less than
    fifty bytes a file. The folder is listed when the first file is asked for, which may be done from any thread.

    :param folder: address, ending with ``/``; a folder that is not there is empty.
    :param recursive: whether the folders in it count as well.
    """

    def __init__(self, folder: str, *, recursive: bool = True) -> None:
        self._folder = folder
        self._recursive = recursive
        self._lock = threading.Lock()
        self._listed: CompactMap | None = None

    def __len__(self) -> int:
        return len(self._files)

    def has(self, name: str) -> bool:
        """Tell whether there was a file.

        :raises Exception: whatever stopped the listing; it is never taken for an empty folder.
        """
        return hash(name) in self._files

    def holds(self, name: str, *, checksum: str | None, size: int | None) -> bool:
        """Tell whether a file was there with this content: by its checksum, or by its size.

        :raises Exception: as :meth:`has`.
        """
        state = self._files.get(hash(name))
        known = [hash(fact) for fact in (checksum, size) if isinstance(fact, (str, int))]
        return state is not None and state in known

    def list_now(self) -> None:
        """List the folder now, if it has not been listed.

        :raises Exception: as :meth:`has`.
        """
        self._files  # noqa: B018 - lists it

    @property
    def _files(self) -> CompactMap:
        with self._lock:
            if self._listed is None:
                listed = CompactMap()
                for name, info in _infos(self._folder, recursive=self._recursive):
                    listed.setdefault(hash(name), hash(checksum_in(info) or int(info["size"])))
                self._listed = listed
            return self._listed


def _infos(
    folder: str, *, recursive: bool, beginning: str = "", parameter: str = "output"
) -> Iterator[tuple[str, _Info]]:
    """List the files in a folder, one after the other, by their paths in it, with the facts that ``info`` tells."""
    infos: Iterator[tuple[str, _Info]]
    local = local_path(folder)
    if local is not None:
        infos = local_files.infos_in(local, recursive=recursive, beginning=beginning)
    else:
        infos = _in_bucket(folder, beginning, recursive=recursive, parameter=parameter)
    for name, info in infos:
        if name.startswith(beginning) and name and not name.endswith("/"):
            yield name, info


def _in_bucket(folder: str, beginning: str, *, recursive: bool, parameter: str) -> Iterator[tuple[str, _Info]]:
    file_system = located(folder, parameter).fs
    if hasattr(file_system, "call_s3"):
        infos = _in_s3(file_system, folder, beginning, recursive=recursive)
    elif scheme_of(without_connection(folder)) == "gs" and hasattr(file_system, "call"):
        infos = _in_google_cloud(file_system, folder, beginning, recursive=recursive)
    else:
        infos = _elsewhere(file_system, folder, recursive=recursive)
    is_there = False
    try:
        for name, info in infos:
            is_there = True
            yield name, info
    except FileNotFoundError:
        if is_there:
            raise
    except OSError as error:
        if is_forbidden(error):
            raise listing_refused(folder) from error
        raise


def _in_s3(file_system: Any, folder: str, beginning: str, *, recursive: bool) -> Iterator[tuple[str, _Info]]:
    """Ask S3 for a page at a time. The time is told to the second, as ``info`` tells it."""
    bucket, prefix = _bucket_and_prefix(file_system, folder)
    request = {"Bucket": bucket, "Prefix": prefix + beginning, "MaxKeys": _PAGE, **file_system.req_kw}
    if not recursive:
        request["Delimiter"] = "/"

    def ask(token: str | None) -> tuple[_Page, str | None]:
        more = {} if token is None else {"ContinuationToken": token}
        page = file_system.call_s3("list_objects_v2", **request, **more)
        return page, page["NextContinuationToken"] if page.get("IsTruncated") else None

    for page in _pages(ask):
        for entry in page.get("Contents", ()):
            facts = {"ETag": entry.get("ETag"), "LastModified": entry["LastModified"].replace(microsecond=0)}
            yield entry["Key"][len(prefix) :], {**facts, "size": entry["Size"]}


def _in_google_cloud(file_system: Any, folder: str, beginning: str, *, recursive: bool) -> Iterator[tuple[str, _Info]]:
    """Ask Google Cloud Storage for a page at a time. A page may be empty, and not the last one all the same."""
    bucket, prefix = _bucket_and_prefix(file_system, folder)
    query = {"prefix": prefix + beginning or None, "maxResults": _PAGE, "fields": _GOOGLE_FIELDS}
    if not recursive:
        query["delimiter"] = "/"

    def ask(token: str | None) -> tuple[_Page, str | None]:
        more = {} if token is None else {"pageToken": token}
        page = file_system.call("GET", "b/{}/o", bucket, json_out=True, **query, **more)
        return page, page.get("nextPageToken") or None

    for page in _pages(ask):
        for entry in page.get("items", ()):
            facts = {"size": int(entry.get("size", 0)), "mtime": moment_of(entry.get("updated"))}
            yield entry["name"][len(prefix) :], {**entry, **facts}


def _pages(ask: Callable[[str | None], tuple[_Page, str | None]]) -> Iterator[_Page]:
    """Yield the pages of a listing. Each is asked for while the one before is read.

    :param ask: returns the page of a token, and the next page's token; ``None`` for the first page, and after the last.
    """
    with ThreadPoolExecutor(1, "claid-listing") as thread:
        asked = thread.submit(ask, None)
        while True:
            page, token = asked.result()
            if token is not None:
                asked = thread.submit(ask, token)
            yield page
            if token is None:
                return


def _bucket_and_prefix(file_system: Any, folder: str) -> tuple[str, str]:
    """Return the bucket of a folder, and what the keys of the files in it begin with."""
    bucket, key, _ = file_system.split_path(located(folder).path)
    return bucket, key + folder[len(folder.rstrip("/")) :] if key else ""


def _elsewhere(file_system: Any, folder: str, *, recursive: bool) -> Iterator[tuple[str, _Info]]:
    """List a folder of a file system that tells no pages; it keeps nothing of it."""
    root = str(located(folder).path).rstrip("/")
    file_system.invalidate_cache()
    infos = file_system.find(root, detail=True).values() if recursive else file_system.ls(root, detail=True)
    for info in infos:
        if info.get("type") == "file":
            yield str(info["name"])[len(root) + 1 :], info
    file_system.invalidate_cache()
