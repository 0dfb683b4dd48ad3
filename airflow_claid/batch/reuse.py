"""Whether the pictures of an earlier attempt can be used again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.places import Place


def still_there(row: Mapping[str, Any], place: Place, inventory: Inventory) -> bool:
    """Return whether the pictures of a manifest's row are in place, with the content that was delivered.

    Of a row that somebody spoiled nobody knows: its receipt tells.
    """
    paths, checksums, sizes = (row.get(key) for key in ("paths", "checksums", "bytes"))
    if not (isinstance(paths, list) and isinstance(checksums, list) and isinstance(sizes, list)):
        return False
    if not len(paths) == len(checksums) == len(sizes):
        return False
    return all(
        isinstance(path, str)
        and without_connection(path).startswith(without_connection(place.folder))
        and inventory.holds(place.path_in(path), checksum=checksum, size=size)
        for path, checksum, size in zip(paths, checksums, sizes, strict=True)
    )
