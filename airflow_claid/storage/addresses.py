"""Addresses and their schemes: which schemes there are, which mean the same, and who reads them.

A kind of bucket that this package knows by name is one entry of :data:`BUCKETS`. Airflow reads and writes others too,
as far as it has a provider for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote


@dataclass(frozen=True)
class Bucket:
    """A kind of bucket.

    :param scheme: of its addresses.
    :param aliases: other schemes of the same addresses.
    :param storage_type: the type that Claid gives a connected storage in such a bucket; ``None`` where it has none.
    :param extra: the extra of airflow-claid that installs Airflow's provider for it.
    """

    scheme: str
    aliases: tuple[str, ...]
    storage_type: str | None
    extra: str


BUCKETS = (
    Bucket("s3", aliases=("s3a",), storage_type="s3", extra="amazon"),
    Bucket("gs", aliases=("gcs",), storage_type="gcs", extra="google"),
)

CONNECTED = "storage"
"""The scheme of the storages that are connected to Claid."""

WILDCARDS = frozenset("*?[")
"""What the path of a glob has, and that of a folder or file has not."""

_LOCAL = ("file", "local")
_QUOTED = re.compile("%[0-9A-Fa-f]{2}")
_LINKS = ("http", "https")
_NO_STORAGE = {*_LINKS, "ftp", "ftps", "sftp", "data", "claid"}
_SAME = {"local": "file", **{alias: bucket.scheme for bucket in BUCKETS for alias in bucket.aliases}}


def scheme_of(address: str) -> str:
    """Return the scheme of an address; empty where it has none."""
    scheme, separator, _ = address.partition("://")
    return scheme if separator else ""


def host_of(address: str) -> str:
    """Return what stands before the path: the bucket, with its ``conn_id@``, or the connected storage's name."""
    return address.partition("://")[2].partition("/")[0]


def name_of(address: str) -> str:
    """Return the name of a connected storage from its address, where it may be encoded (``storage://Shop%20EU/``)."""
    return unquote(host_of(address))


def path_of(address: str) -> str:
    """Return the path in the bucket or storage, without its first ``/``."""
    return address.partition("://")[2].partition("/")[2]


def is_link(address: str) -> bool:
    """Tell whether an address is a web link."""
    return scheme_of(address) in _LINKS


def is_connected(address: str) -> bool:
    """Tell whether an address is in a storage that is connected to Claid, ``storage://NAME/PATH``."""
    return scheme_of(address) == CONNECTED


def is_storage(address: str) -> bool:
    """Tell whether the scheme of an address can be that of a storage."""
    return scheme_of(address) not in {"", *_NO_STORAGE}


def is_folder(address: str) -> bool:
    """Tell whether an address is that of a folder, as far as it says so itself: it ends with ``/``, and is no link."""
    return bool(scheme_of(address)) and not is_link(address) and address.endswith("/")


def is_glob(address: str) -> bool:
    """Tell whether an address has wildcards in its path; a link, with a ``?`` before its query, has none."""
    return bool(scheme_of(address)) and not is_link(address) and not WILDCARDS.isdisjoint(path_of(address))


def local_path(address: str) -> str | None:
    """Return the path of a file or folder on this machine; ``None`` for one that is elsewhere."""
    return address.partition("://")[2] if scheme_of(address) in _LOCAL else None


def relative_path_problem(address: str) -> str | None:
    """Say what is wrong with a local address that lacks the beginning of its path; ``None`` where nothing is."""
    path = local_path(address)
    if path is None or path.startswith("/"):
        return None
    absolute = f"{scheme_of(address)}:///{path}"
    return f"is no absolute path, so it would be another file on each worker: use '{absolute}'"


def path_problem(address: str) -> str | None:
    """Say what is wrong with the path of an address that is to be written to or listed; ``None`` where nothing is."""
    return relative_path_problem(address) or _empty_part_problem(address) or quoted_path_problem(address)


def _empty_part_problem(address: str) -> str | None:
    scheme, separator, rest = address.partition("://")
    if "//" not in rest:
        return None
    corrected = f"{scheme}{separator}{re.sub('/{2,}', '/', rest)}"
    return f"has an empty part ('//'), perhaps of a template: what is written there is never listed; use {corrected!r}"


def quoted_path_problem(address: str) -> str | None:
    """Say that a local address is quoted as ``Path.as_uri()`` quotes it; ``None`` where it is not.

    Airflow takes an address as it is written, so that ``%20`` would be part of a folder's name.
    """
    if local_path(address) is None or not _QUOTED.search(address):
        return None
    return f"is quoted as a link is, and Airflow would take the '%' as part of a name: use {unquote(address)!r}"


@lru_cache(maxsize=1024)
def without_connection(address: str) -> str:
    """Return an address without its ``conn_id@``: the same file, whoever opens it."""
    if not is_storage(address):
        return address
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{_SAME.get(scheme, scheme)}://{host.rpartition('@')[2]}{slash}{path}"


def folded_path(address: str) -> str:
    """Return the path of an address, or of a key, in the form in which two that mean the same are equal.

    Without query and encoding, in small letters, with single slashes and none at its ends.
    """
    path = path_of(address) if "://" in address else address
    if is_link(address.lower()):
        path = re.split("[?#]", path, maxsplit=1)[0]
    return re.sub("/{2,}", "/", unquote(path)).strip("/").casefold()


def folded_stem(address: str) -> str:
    """Return the file name of an address in the form of :func:`folded_path`, without its suffix."""
    name = folded_path(address).rpartition("/")[2]
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def last_of(address: str) -> str:
    """Return the last part of an address; of a link, without its query, which an object's key does not have."""
    if is_link(address):
        address = re.split("[?#]", address, maxsplit=1)[0]
    return path_of(address).rstrip("/").rpartition("/")[2]
