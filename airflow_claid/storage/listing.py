"""The one way to list a folder.

A folder that is not there is empty. Whatever else stops the listing, also in a folder within it, is raised: files that
could not be seen are never taken for none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_claid.storage.addresses import local_path
from airflow_claid.storage.object_storage import (
    StoredFile,
    checksum_in,
    is_forbidden,
    listing_refused,
    located,
    stored_file,
)

_Info = Mapping[str, Any]
"""What a file system tells of a file."""


def list_files(folder: str, *, recursive: bool = False) -> list[StoredFile]:
    """List the files in a folder, sorted by address.

    :param folder: address, ending with ``/``.
    :param recursive: whether the folders in it count as well.
    """
    files = (stored_file(folder + name, info) for name, info in _infos(folder, recursive=recursive))
    return sorted(files, key=lambda file: file.uri)


class Inventory:
    """The files in a folder, by the path in it, with what tells one content from another.

    That is the bucket's checksum where it has one, else (a local folder) the size in bytes. Kept as numbers, some
    hundred bytes a file. The folder is listed when the first file is asked for, which may be done from any thread.

    :param folder: address, ending with ``/``; a folder that is not there is empty.
    :param recursive: whether the folders in it count as well.
    """

    def __init__(self, folder: str, *, recursive: bool = True) -> None:
        self._folder = folder
        self._recursive = recursive
        self._lock = threading.Lock()
        self._listed: dict[int, int] | None = None

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

    @property
    def _files(self) -> dict[int, int]:
        with self._lock:
            if self._listed is None:
                infos = _infos(self._folder, recursive=self._recursive)
                self._listed = {hash(name): hash(checksum_in(info) or int(info["size"])) for name, info in infos}
            return self._listed


def _infos(folder: str, *, recursive: bool) -> Iterator[tuple[str, _Info]]:
    """List the files in a folder, one after the other, by their paths in it; the file system keeps none of it."""
    path = located(folder)
    path.fs.invalidate_cache()
    root = str(path.path).rstrip("/")
    infos: Iterable[_Info]
    try:
        if not recursive:
            infos = path.fs.ls(root, detail=True)
        elif local_path(folder) is None:
            infos = path.fs.find(root, detail=True).values()
        else:
            infos = _below(path.fs, root)
    except FileNotFoundError:
        return
    except OSError as error:
        if local_path(folder) is None and is_forbidden(error):
            raise listing_refused(folder) from error
        raise
    for info in infos:
        name = str(info["name"])[len(root) + 1 :] if info.get("type") == "file" else ""
        if name and not name.endswith("/"):
            yield name, info
    path.fs.invalidate_cache()


def _below(file_system: Any, root: str) -> Iterator[_Info]:
    """List a local folder and those in it; one that is gone meanwhile is skipped.

    By hand, for fsspec's ``find`` passes over a folder within that cannot be read as well.
    """
    folders = [root]
    while folders:
        try:
            infos = file_system.ls(folders.pop(), detail=True)
        except FileNotFoundError:
            continue
        folders += (str(info["name"]) for info in infos if info["type"] == "directory")
        yield from infos
