"""The one way to list a folder.

A folder that is not there is empty. Whatever else stops the listing, also in a folder within it, is raised: files that
could not be seen are never taken for none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from airflow_claid.storage import bucket_listing, local_files
from airflow_claid.storage.addresses import local_path, scheme_of, without_connection
from airflow_claid.storage.bucket_listing import Info, Wanted
from airflow_claid.storage.compact_map import CompactMap
from airflow_claid.storage.object_storage import is_forbidden, listing_refused, located
from airflow_claid.storage.places import RECEIPTS_FOLDER, is_in_receipts_folder
from airflow_claid.storage.stored_files import StoredFile, checksum_in, stored_file


def list_files(folder: str, *, recursive: bool = False, receipts: bool = True) -> list[StoredFile]:
    """List the files in a folder, sorted by address.

    :param folder: address, ending with ``/``.
    :param recursive: whether the folders in it count as well.
    :param receipts: whether the ``_claid/`` folders in it do.
    """
    return sorted(stream_files(folder, recursive=recursive, receipts=receipts), key=lambda file: file.uri)


def stream_files(
    folder: str, *, recursive: bool = False, receipts: bool = True, beginning: str = "", parameter: str = "output"
) -> Iterator[StoredFile]:
    """List the files in a folder one after the other, in no certain order; not even a million fill the memory.

    :param folder: address, ending with ``/``.
    :param recursive: whether the folders in it count as well.
    :param receipts: whether the ``_claid/`` folders in it do. They may hold more files than all others; where they do
        not count, they are not listed either, as far as the storage allows.
    :param beginning: what their paths in the folder begin with, without a ``/``; others are not even listed.
    :param parameter: the parameter that the address came from, for the error.
    """
    for name, info in _infos(folder, recursive=recursive, receipts=receipts, beginning=beginning, parameter=parameter):
        yield stored_file(folder + name, info)


class Inventory:
    """The files in a folder, by the path in it, with what tells one content from another.

    That is the bucket's checksum where it has one, else (a local folder) the size in bytes. Kept as numbers, in
    forty bytes a file at most. The folder is listed when the first file is asked for, which any thread may do.

    :param folder: address, ending with ``/``; a folder that is not there is empty.
    :param recursive: whether the folders in it count as well, but for ``_claid/``.
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
                for name, info in _infos(self._folder, recursive=self._recursive, receipts=False):
                    listed.setdefault(hash(name), hash(checksum_in(info) or int(info["size"])))
                self._listed = listed
            return self._listed


def _infos(
    folder: str, *, recursive: bool, receipts: bool, beginning: str = "", parameter: str = "output"
) -> Iterator[tuple[str, Info]]:
    """List the files in a folder, one after the other, by their paths in it, with the facts that ``info`` tells."""
    infos: Iterator[tuple[str, Info]]
    local = local_path(folder)
    if local is not None:
        without = None if receipts else RECEIPTS_FOLDER.rstrip("/")
        infos = local_files.infos_in(local, recursive=recursive, beginning=beginning, without=without)
    else:
        infos = _in_bucket(folder, beginning, recursive=recursive, receipts=receipts, parameter=parameter)
    for name, info in infos:
        is_file = name and not name.endswith("/")
        if is_file and name.startswith(beginning) and (receipts or not is_in_receipts_folder(name)):
            yield name, info


def _in_bucket(
    folder: str, beginning: str, *, recursive: bool, receipts: bool, parameter: str
) -> Iterator[tuple[str, Info]]:
    file_system = located(folder, parameter).fs
    if hasattr(file_system, "call_s3"):
        list_pages = bucket_listing.in_s3
    elif scheme_of(without_connection(folder)) == "gs" and hasattr(file_system, "call"):
        list_pages = bucket_listing.in_google_cloud
    else:
        list_pages = None
    if list_pages is None:
        infos = _elsewhere(file_system, folder, recursive=recursive)
    else:
        bucket, prefix = _bucket_and_prefix(file_system, folder)
        infos = list_pages(file_system, Wanted(bucket, prefix, beginning, recursive, receipts))
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


def _bucket_and_prefix(file_system: Any, folder: str) -> tuple[str, str]:
    """Return the bucket of a folder, and what the keys of the files in it begin with."""
    bucket, key, _ = file_system.split_path(located(folder).path)
    return bucket, key + folder[len(folder.rstrip("/")) :] if key else ""


def _elsewhere(file_system: Any, folder: str, *, recursive: bool) -> Iterator[tuple[str, Info]]:
    """List a folder of a file system that tells no pages; it keeps nothing of it."""
    root = str(located(folder).path).rstrip("/")
    file_system.invalidate_cache()
    infos = file_system.find(root, detail=True).values() if recursive else file_system.ls(root, detail=True)
    for info in infos:
        if info.get("type") == "file":
            yield str(info["name"])[len(root) + 1 :], info
    file_system.invalidate_cache()
