"""Which content the pictures of a batch have, asked of the storage as rarely as can be."""

from __future__ import annotations

import threading

from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.batch.outcomes import state_listed
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.addresses import is_connected, is_link
from airflow_claid.storage.checksums import content_version
from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.object_storage import is_forbidden
from airflow_claid.storage.stored_files import StoredFile


class Versions:
    """Knows which content a row's picture has; thread-safe.

    A content counts, not how it was uploaded: the same bytes that were uploaded anew, in parts or as a whole, have the
    same version.

    :param index: of the manifest; it tells the version of a picture whose listed state has not changed since.
    :param subject: the column that names the picture.
    """

    def __init__(self, index: ManifestIndex, subject: str = "input") -> None:
        self._index = index
        self._subject = subject
        self._lock = threading.Lock()
        self._folders: dict[str, Inventory] = {}

    def of(self, row: ItemRow) -> str | None:
        """Return the version of a row's picture; ``None`` where the picture itself must be asked.

        A listed picture is asked only if its state is not one that an earlier batch has seen. A version that a manifest
        told is confirmed by a listing of the folder, one for all pictures in it.

        :raises ClaidValidationError: if the picture may not be read.
        """
        if row.file is not None:
            return self._of_listed(row.file)
        address = row.values.get(self._subject)
        if row.version is None or not isinstance(address, str) or is_link(address) or is_connected(address):
            return None
        return row.version if self._is_confirmed(address, row.version) else None

    def _of_listed(self, file: StoredFile) -> str | None:
        known = self._index.version_of(file.uri, state_listed(file))
        if known is not None:
            return known
        try:
            return content_version(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            if not is_forbidden(error):
                raise
            raise ClaidValidationError(
                f"{self._subject}={file.uri!r} may not be read ({type(error).__name__}): let the connection read it"
            ) from error

    def _is_confirmed(self, address: str, version: str) -> bool:
        """Tell whether a picture still has the checksum that a manifest told; a local folder tells none."""
        folder, slash, name = address.rpartition("/")
        with self._lock:
            inventory = self._folders.setdefault(folder, Inventory(folder + slash, recursive=False))
        return inventory.holds(name, checksum=version, size=None)
