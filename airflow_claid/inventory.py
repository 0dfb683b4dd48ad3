"""What lies in a folder, taken stock of once: so that a batch of many items need not ask for each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_claid.object_storage import located

_CHECKSUMS = ("ETag", "md5Hash", "crc32c", "content_md5")


class Inventory:
    """The files below a folder, by the path in it, with what tells one content from another.

    That is the bucket's checksum where it has one, else (a local folder) the size in bytes. Kept as numbers, some
    hundred bytes a file.

    :param folder: address, ending with ``/``; a folder that is not there is empty.
    :raises Exception: whatever stopped the listing; it is never taken for an empty folder.
    """

    def __init__(self, folder: str) -> None:
        self._files = {hash(name): hash(state) for name, state in _files_below(folder)}

    def __len__(self) -> int:
        return len(self._files)

    def has(self, name: str) -> bool:
        """Tell whether there was a file."""
        return hash(name) in self._files

    def holds(self, name: str, *, checksum: str | None, size: int | None) -> bool:
        """Tell whether a file was there with this content: by its checksum, or by its size."""
        state = self._files.get(hash(name))
        return state is not None and state in (hash(checksum), hash(size))


def _files_below(folder: str) -> Iterator[tuple[str, str | int]]:
    path = located(folder)
    path.fs.invalidate_cache()
    root = str(path.path).rstrip("/")
    try:
        infos: Mapping[str, Mapping[str, Any]] = path.fs.find(root, detail=True)
    except FileNotFoundError:
        return
    for name, info in infos.items():
        if info.get("type") == "file" and len(name) > len(root) + 1:
            checksum = next((str(info[key]) for key in _CHECKSUMS if info.get(key)), None)
            yield name[len(root) + 1 :], checksum if checksum is not None else int(info["size"])
    path.fs.invalidate_cache()
