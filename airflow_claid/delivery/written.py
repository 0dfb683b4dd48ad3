"""Find a picture that Claid wrote to a connected storage, by whatever its answer says about where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.storage.addresses import folded_path, folded_stem, host_of, is_connected, is_link, last_of, path_of
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import find
from airflow_claid.storage.places import has_picture_suffix
from airflow_claid.storage.stored_files import StoredFile

_OTHER_SUFFIXES = (".json", ".txt", ".xml", ".html", ".tmp", ".part", ".log")


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


def find_written(
    storages: ConnectedStorages, image: DeliveredImage, destination: str | None, *, shared: bool = False
) -> WrittenPicture | None:
    """Find a picture at the addresses that the answer gives, else in the request's own folder.

    An address outside that folder comes last: it may be the answer to another request.

    :param image: as the answer describes it.
    :param destination: the file, or the folder of its own, that the request named.
    :param shared: whether other requests write to that folder too, so that only a file's name tells whose it is.
    :returns: the first that is there; if Airflow cannot look, or finds none but has no link either, the first that the
        answer names; ``None`` if it names none.
    """
    own: list[str] = []
    for answered in (image.claid_storage_uri, image.object_uri, image.object_key):
        path = _own_path(answered, destination) if answered else None
        if path is None or path in own:
            continue
        own.append(path)
        if (found := _first(storages, [path])) is not None:
            return found
    found = None if shared else _in_own_folder(storages, image, destination)
    if found is not None:
        return found
    outside = [path for path in dict.fromkeys(_addresses(storages, image, destination)) if path not in own]
    found = _first(storages, outside)
    if found is not None:
        return found
    named = [*own, *outside]
    if not named or image.tmp_url:
        return None
    return WrittenPicture(named[0], storages.find_readable_uri(named[0]), None)


def _own_path(answered: str, destination: str | None) -> str | None:
    """Return the ``storage://`` address of what an answer names, if that is what the request was to write.

    :param answered: an address of any form, the key of an object, or a mere file name.
    """
    if destination is None or not is_connected(destination):
        return None
    text = re.split("[?#]", answered, maxsplit=1)[0] if is_link(answered.lower()) else answered
    parts = [part for part in (path_of(text) if "://" in text else text).split("/") if part]
    folder = [part for part in path_of(destination).split("/") if part]
    if not destination.endswith("/"):
        folder, name = folder[:-1], folder[-1]
        if not parts or folded_stem(parts[-1]) != folded_stem(name):
            return None
        same = folded_path(parts[-1]) == folded_path(name)
        return destination if same else destination.removesuffix(name) + parts[-1]
    if len(parts) == 1 and "://" not in text:
        return destination + parts[0]
    for start in range(len(parts) - len(folder) - 1, -1, -1):
        if folder and folded_path("/".join(parts[start : start + len(folder)])) == folded_path("/".join(folder)):
            return destination + "/".join(parts[start + len(folder) :])
    return None


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


def list_pictures(storages: ConnectedStorages, folder: str) -> list[StoredFile]:
    """List the pictures in a folder that Claid wrote to.

    What is empty, hidden or named as something else is none; where no name has a picture's suffix, any other will do.
    """
    files = [file for file in list_either(storages, folder) if file.size and not last_of(file.uri).startswith(".")]
    return [file for file in files if has_picture_suffix(file.uri)] or [
        file for file in files if not file.uri.lower().endswith(_OTHER_SUFFIXES)
    ]


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
    files = list_pictures(storages, destination)
    if len(files) < image.position:
        return None
    file = files[image.position - 1]
    return WrittenPicture(destination + file.uri.rpartition("/")[2], file.uri, file)
