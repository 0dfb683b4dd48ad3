"""Connected storages seen from Airflow: ``storage://NAME/PATH`` to a bucket's address and back.

The only place that decides by which address Airflow reads a file.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from airflow_claid.client import ClaidScopeError, ClaidValidationError, Storage
from airflow_claid.client.models.base import encoded
from airflow_claid.storage.addresses import (
    BUCKETS,
    CONNECTED,
    is_connected,
    name_of,
    path_of,
    without_connection,
)

if TYPE_CHECKING:
    from airflow_claid.client import ClaidClient

log: logging.Logger = logging.getLogger(__name__)

_SCHEMES = {bucket.storage_type: bucket.scheme for bucket in BUCKETS}


class ConnectedStorages:
    """The storages that are connected to the account, and the Airflow connections that reach their buckets.

    :param client: lists the storages, once.
    :param mapping: storage name to Airflow connection id, or to the address of a folder that is the bucket.
    """

    def __init__(self, client: ClaidClient, mapping: Mapping[str, str]) -> None:
        self._client = client
        self._mapping = mapping

    @property
    def mapped(self) -> tuple[str, ...]:
        """The names of the storages that the connection maps, connected or not."""
        return tuple(self._mapping)

    @cached_property
    def _by_name(self) -> dict[str, Storage] | None:
        try:
            return {storage.name: storage for storage in self._client.list_storages()}
        except ClaidScopeError:
            log.warning(
                "The API key lacks the scope 'Storage' (or 'Admin'): connected storages cannot be checked or read. "
                "Claid itself refuses a storage that does not exist."
            )
            return None

    def check_writable(self, name: str) -> None:
        """Make sure that a storage exists and can be written.

        :raises ClaidValidationError: naming the storages that there are.
        """
        if self._by_name is None:
            return
        storage = self._by_name.get(name)
        if storage is None:
            names = ", ".join(sorted(self._by_name)) or "none"
            raise ClaidValidationError(
                f"output names the connected storage {name!r}, which the account does not have (it has: {names}). "
                "Connect it in Claid's dashboard, or use one of those"
            )
        if not storage.writable:
            raise ClaidValidationError(
                f"output names the connected storage {name!r}, of type {storage.type!r}, which cannot be written: "
                "use one of type s3 or gcs"
            )

    def find_readable_uri(self, uri: str) -> str | None:
        """Find the address by which Airflow reads a file or folder.

        :returns: of ``storage://NAME/PATH`` e.g. ``s3://CONNECTION@BUCKET/PREFIX/PATH``, or ``None`` where the storage
            is not mapped; any other address as it is.
        """
        if not is_connected(uri):
            return uri
        root = self._root(name_of(uri))
        return None if root is None else root + unquote(path_of(uri))

    def readable_uris(self, uri: str) -> tuple[str, ...]:
        """Find the addresses at which a file or folder may be that Claid wrote; none where the storage is not mapped.

        The path of a ``storage://`` address is encoded as that of a link is. Whether Claid decodes it is not
        documented, so what it writes may also have the path as it was sent.
        """
        readable, root = self.find_readable_uri(uri), self._root(name_of(uri)) if is_connected(uri) else None
        if readable is None or root is None:
            return () if readable is None else (readable,)
        return tuple(dict.fromkeys((readable, root + path_of(encoded(uri)))))

    def readable_uri(self, uri: str) -> str:
        """Return the address by which Airflow reads a file or folder, for what cannot do without one.

        :raises ClaidValidationError: telling what is missing, and how to map the storage.
        """
        readable = self.find_readable_uri(uri)
        if readable is not None:
            return readable
        name = name_of(uri)
        if self._by_name is None:
            problem = "cannot be looked up: give the API key the scope 'Storage' (or 'Admin') in Claid's dashboard"
        elif name not in self._by_name:
            names = ", ".join(sorted(self._by_name)) or "none"
            problem = f"is not one of the account (it has: {names}): connect it, or use one of those"
        elif not self._by_name[name].writable:
            problem = "is a web folder, which no Airflow connection reaches: wait for its https:// address instead"
        else:
            problem = (
                f'is not mapped: put {{"storages": {{"{name}": "ID"}}}} into the extra of the Claid connection, where '
                f"ID is the Airflow connection that reaches the bucket {self._by_name[name].parameters.bucket!r}, or "
                "the address of a folder"
            )
        raise ClaidValidationError(f"{uri!r}: Airflow must look there itself, but the storage {name!r} {problem}")

    def plain_uri(self, uri: str) -> str:
        """Return the one address of a file or folder, whichever storage or connection it is named by."""
        return without_connection(self.find_readable_uri(uri) or uri)

    def covering(self, uri: str) -> str | None:
        """Turn an address in a bucket into ``storage://NAME/PATH``; ``None`` where no mapped storage has it."""
        plain = without_connection(uri)
        for name in self._mapping:
            root = self._root(name)
            if root is not None and plain.startswith(without_connection(root)):
                return f"{CONNECTED}://{name}/{quote(plain[len(without_connection(root)) :])}"
        return None

    def uri_of_key(self, name: str, key: str) -> str | None:
        """Return ``storage://NAME/PATH`` for the key of an object in a storage's bucket; ``None`` if it is outside.

        :param key: with the storage's prefix, as the bucket knows it; an ``https`` address may put the bucket first.
        """
        storage = (self._by_name or {}).get(name)
        if storage is None:
            return None
        prefix = storage.parameters.path.strip("/")
        for path in (key, key.removeprefix(f"{storage.parameters.bucket}/")):
            if not prefix or path.startswith(f"{prefix}/"):
                return f"{CONNECTED}://{name}/{quote(path.removeprefix(f'{prefix}/') if prefix else path)}"
        return None

    def _root(self, name: str) -> str | None:
        """Return the address, ending with ``/``, of what ``storage://NAME/`` is."""
        target = self._mapping.get(name)
        storage = (self._by_name or {}).get(name) if target else None
        if target is None or storage is None or not storage.writable:
            return None
        if storage.parameters.bucket is None or ("://" not in target and storage.type not in _SCHEMES):
            log.warning("Claid does not tell the bucket of the storage %r, so Airflow cannot look there itself", name)
            return None
        prefix = storage.parameters.path.strip("/")
        bucket = target.rstrip("/") if "://" in target else _bucket(storage, target)
        return f"{bucket}/{prefix}/" if prefix else f"{bucket}/"


def _bucket(storage: Storage, connection_id: str) -> str:
    return f"{_SCHEMES[storage.type]}://{connection_id}@{storage.parameters.bucket}"
