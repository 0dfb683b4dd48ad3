"""The one way to list a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from airflow_claid.storage.object_storage import CHECKSUM_KEYS, StoredFile, located, stored_file


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
        (stored_file(folder + info["name"].rpartition("/")[2], info) for info in files), key=lambda file: file.uri
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
            stored_file(folder + name.removeprefix(root), info)
            for name, info in infos.items()
            if info["type"] == "file" and not name.endswith("/")
        ),
        key=lambda file: file.uri,
    )


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
        return state is not None and state in (hash(checksum), hash(size))

    @property
    def _files(self) -> dict[int, int]:
        with self._lock:
            if self._listed is None:
                found = _files_below(self._folder, recursive=self._recursive)
                self._listed = {hash(name): hash(state) for name, state in found}
            return self._listed


def _files_below(folder: str, *, recursive: bool) -> Iterator[tuple[str, str | int]]:
    path = located(folder)
    path.fs.invalidate_cache()
    root = str(path.path).rstrip("/")
    try:
        infos = path.fs.find(root, detail=True).values() if recursive else path.fs.ls(root, detail=True)
    except FileNotFoundError:
        return
    for info in infos:
        name = str(info["name"])
        if info.get("type") == "file" and len(name) > len(root) + 1 and not name.endswith("/"):
            checksum = next((str(info[key]) for key in CHECKSUM_KEYS if info.get(key)), None)
            yield name[len(root) + 1 :], checksum if checksum is not None else int(info["size"])
    path.fs.invalidate_cache()
