"""Find a picture that Claid wrote to a connected storage, by whatever its answer says about where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.storage.addresses import host_of, is_connected, is_link, last_of
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import find
from airflow_claid.storage.stored_files import StoredFile


@dataclass(frozen=True)
class WrittenPicture:
    """A picture that Claid wrote.

    :param path: its ``storage://`` address.
    :param readable: the address by which Airflow reads it; ``None`` if the storage is not mapped.
    :param file: the file; ``None`` if nobody here can look, or it is not there.
    """

    path: str
    readable: str | None
    file: StoredFile | None


def find_written(storages: ConnectedStorages, image: DeliveredImage, destination: str | None) -> WrittenPicture | None:
    """Find a picture at the addresses that the answer gives, else in the request's own folder.

    An address outside that folder comes last: it may be the answer to another request.

    :param image: as the answer describes it.
    :param destination: the file, or the folder of its own, that the request named.
    :returns: the first that is there; if Airflow cannot look, or finds none but has no link either, the first that the
        answer names; ``None`` if it names none.
    """
    named: list[str] = []
    others: list[str] = []
    for path in _addresses(storages, image, destination):
        if path in named:
            continue
        named.append(path)
        if not destination or not unquote(path).startswith(unquote(destination)):
            others.append(path)
        elif (found := _first(storages, [path])) is not None:
            return found
    found = _in_own_folder(storages, image, destination) or _first(storages, others)
    if found is not None:
        return found
    if not named or image.tmp_url:
        return None
    return WrittenPicture(named[0], storages.find_readable_uri(named[0]), None)


def _first(storages: ConnectedStorages, paths: list[str]) -> WrittenPicture | None:
    """Return the first of several addresses at which there is a file."""
    for path in paths:
        file = find_either(storages, path)
        if file is not None:
            return WrittenPicture(path, file.uri, file)
    return None


def find_either(storages: ConnectedStorages, uri: str) -> StoredFile | None:
    """Look for a file that Claid wrote, under both paths that it may have; ``None`` if nobody here can look."""
    return next((file for readable in storages.readable_uris(uri) if (file := find(readable)) is not None), None)


def list_either(storages: ConnectedStorages, folder: str) -> list[StoredFile]:
    """List a folder that Claid wrote to, under both paths that it may have."""
    return [file for readable in storages.readable_uris(folder) for file in list_files(readable)]


def _addresses(storages: ConnectedStorages, image: DeliveredImage, destination: str | None) -> Iterator[str]:
    """Yield the ``storage://`` addresses that an answer names, the best one first."""
    if image.claid_storage_uri and is_connected(image.claid_storage_uri):
        yield image.claid_storage_uri
    storage = host_of(destination) if destination and is_connected(destination) else None
    if storage is None:
        return
    keys = [image.object_key, _key_in(image.object_uri)]
    for key in keys:
        path = storages.uri_of_key(storage, key) if key else None
        if path is not None:
            yield path
    for key in keys:
        if key and destination and destination.endswith("/"):
            yield destination + last_of(f"storage://{storage}/{key}")


def _key_in(uri: str | None) -> str | None:
    """Return the object's key in its address."""
    if not uri or "://" not in uri:
        return None
    path = uri.partition("://")[2].partition("/")[2]
    return path.partition("?")[0] if is_link(uri) else path


def _in_own_folder(
    storages: ConnectedStorages, image: DeliveredImage, destination: str | None
) -> WrittenPicture | None:
    """Find a picture by its position in the folder, or the file, that only its request writes to."""
    if destination is None:
        return None
    if not destination.endswith("/"):
        found = find_either(storages, destination)
        return WrittenPicture(destination, found.uri, found) if found else None
    files = list_either(storages, destination)
    if len(files) < image.position:
        return None
    file = files[image.position - 1]
    return WrittenPicture(destination + file.uri.rpartition("/")[2], file.uri, file)
