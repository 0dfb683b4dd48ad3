"""Where it is remembered that answers of an operation were read: beside the receipts, and in the quota store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_claid.storage.object_storage import latest, read_if_there, write_beside

if TYPE_CHECKING:
    from airflow_claid.client import ClaidClient

log: logging.Logger = logging.getLogger(__name__)


class FolderProof:
    """Records in files beside the receipts, ``_claid/proof/NAME.json``.

    :param folder: address of the ``_claid/`` folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, name: str) -> str | None:
        """Read the file."""
        try:
            content = read_if_there(latest(self._uri(name)))
            return content.decode() if content is not None else None
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own; the receipts report them
            log.debug("%s cannot be read (%s)", self._uri(name), type(error).__name__)
            return None

    def write(self, name: str, text: str) -> None:
        """Write the file."""
        try:
            write_beside(self._uri(name), text.encode())
        except Exception as error:  # noqa: BLE001 - it costs one more request that goes alone
            log.warning("%s cannot be written (%s)", self._uri(name), type(error).__name__)

    def _uri(self, name: str) -> str:
        return f"{self._folder}proof/{name}.json"


class QuotaStoreProof:
    """Records in the quota store of the Claid connection; it keeps them for a day."""

    def __init__(self, client: ClaidClient) -> None:
        self._client = client

    def read(self, name: str) -> str | None:
        """Ask the store."""
        return self._client.recall(f"proof/{name}")

    def write(self, name: str, text: str) -> None:
        """Tell the store."""
        self._client.remember(f"proof/{name}", text)
