"""Inputs: how Claid gets at a picture that a task names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.addresses import (
    is_connected,
    is_link,
    is_storage,
    last_of,
    local_path,
    quoted_path_problem,
    scheme_of,
    without_connection,
)
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.object_storage import located, read_if_there
from airflow_claid.storage.places import stem_of
from airflow_claid.storage.signed_links import shown, unsigned

log: logging.Logger = logging.getLogger(__name__)

_SIGNED_FOR = 3600
_LINK_MAX_CHARACTERS = 512
"""Claid's pages name this limit; its API contract says 4,096."""


class UnusableInputError(ClaidValidationError):
    """A picture is not there, or has no address at which it can be had; that says nothing of other pictures."""


class CoveringStorages(Protocol):
    """Knows which buckets Claid reads itself."""

    def covering(self, uri: str) -> str | None:
        """Turn an address in a bucket into ``storage://NAME/PATH``; ``None`` where no connected storage has it."""


@dataclass(frozen=True)
class Source:
    """A picture to edit.

    :param path: its address as the user gave it.
    :param version: tells one content of the address from another; ``None`` for an address that Claid reads.
    :param address: returns the address at which Claid can read it; ``None`` where it must be uploaded. A signed
        link is made anew each time and kept nowhere.
    :param ignored: names of parts of a link's query that do not say which picture is meant.
    """

    path: str = field(repr=False)
    version: str | None
    address: Callable[[], str | None]
    ignored: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The file name without its suffix, cleaned."""
        return stem_of(self.path)

    @property
    def unsigned_path(self) -> str:
        """The address without signature and login: the same picture, however often its link is signed."""
        return unsigned(self.path, self.ignored) if is_link(self.path) else self.path

    @property
    def shown(self) -> str:
        """The address as it may be shown and kept: of a link's query, a digest."""
        return shown(self.unsigned_path)

    @property
    def facts(self) -> dict[str, str | None]:
        """What tells it from another, in a fingerprint: its address, without a signature, and its content."""
        return {"address": without_connection(self.unsigned_path), "version": self.version}

    @property
    def file_name(self) -> str:
        """The file name under which it is uploaded."""
        return last_of(self.path) or "image"

    def reached(self) -> str:
        """Return the address at which Claid reads it now, for a request that takes no picture along.

        :raises UnusableInputError: if it can no longer be reached.
        """
        address = self.address()
        if address is None:
            raise self.out_of_reach()
        if _is_long(address):
            _warn_of_length(self.shown, address)
        return address

    def reached_unless_long(self) -> str | None:
        """Return the address at which Claid reads it now; ``None`` where the picture is rather sent along.

        That is where Claid cannot reach it, or only by a link that may be too long for it.
        """
        address = self.address()
        if address is None or not _is_long(address):
            return address
        if self.version is None:
            _warn_of_length(self.shown, address)
            return address
        log.info("The signed link of %s has %d characters; it is uploaded instead", self.shown, len(address))
        return None

    def out_of_reach(self, parameter: str = "input") -> UnusableInputError:
        """Return the error that says that Claid cannot get at it, and what to do."""
        return UnusableInputError(
            f"{parameter}={self.shown!r} is out of Claid's reach, and this kind of request takes no picture along: "
            "connect its bucket to Claid (ConnectStorageOperator) and map it in the extra of the Claid connection, or "
            "give the temporary link or storage:// path of an upstream task"
        )

    def content(self) -> bytes:
        """Return the bytes to send along.

        :raises UnusableInputError: if the file is not there.
        """
        content = read_if_there(self.path)
        if content is None:
            raise _missing(self.path)
        return content


def source(
    path: str,
    storages: CoveringStorages,
    parameter: str = "input",
    *,
    version: str | None = None,
    removed: Mapping[str, str] | None = None,
    ignored: tuple[str, ...] = (),
) -> Source:
    """Find out how Claid gets at a picture.

    ``https://`` and ``storage://`` go as they are. Another address that Airflow can read becomes ``storage://``
    if a connected storage has its bucket, else a signed link if its bucket can make one, else it is uploaded.

    :param path: as a task gave it.
    :param parameter: where it gave it, for errors.
    :param version: what tells its content from another, where that is known already; it is not looked for then.
    :param removed: the versions, by address, of files that have been asked about already and need no longer be there.
    :param ignored: names of parts of a link's query that do not say which picture is meant.
    :raises UnusableInputError: if it is no such address, or there is no such file.
    """
    if "://" not in path or not _is_readable(path):
        raise not_an_address(shown(path), parameter)
    if is_link(path) or is_connected(path):
        return Source(path, None, lambda: path, ignored)
    if not is_storage(path):
        raise not_an_address(shown(path), parameter)
    version = version or checksum_if_there(path, parameter) or (removed or {}).get(without_connection(path))
    if version is None:
        raise _missing(path, parameter)
    covered = storages.covering(path)
    return Source(path, version, (lambda: covered) if covered else lambda: _signed(path))


def versions_in(asked: object) -> Iterator[tuple[str, str]]:
    """Find, in what was asked, the addresses of the inputs and the versions that they had."""
    if isinstance(asked, Mapping):
        address, version = asked.get("address", asked.get("input")), asked.get("version")
        if isinstance(address, str) and isinstance(version, str):
            yield address, version
    parts: Any = asked.values() if isinstance(asked, Mapping) else asked
    if isinstance(asked, (Mapping, list, tuple)):
        for part in parts:
            yield from versions_in(part)


def reachable(picture: Source, parameter: str = "input") -> Source:
    """Return a picture if Claid can get at it without taking it along.

    :raises UnusableInputError: if Claid cannot, naming the remedy.
    """
    if picture.address() is None:
        raise picture.out_of_reach(parameter)
    return picture


def _signed(path: str) -> str | None:
    """Return a link that Claid can read for an hour; ``None`` where the storage cannot sign, or not for outside."""
    if local_path(path) is not None:
        return None
    opened = located(path, "input")
    try:
        link = opened.sign(expiration=_SIGNED_FOR)
    except Exception as error:  # noqa: BLE001 - each file system refuses in a way of its own
        log.info("%s cannot be signed (%s); it is uploaded instead", path, type(error).__name__)
        return None
    return link if scheme_of(link) == "https" else None


def _is_readable(link: str) -> bool:
    """Tell whether an address has the parts of one; ``http://[`` has not."""
    try:
        urlsplit(link)
    except ValueError:
        return False
    return True


def _is_long(address: str) -> bool:
    return is_link(address) and len(address) > _LINK_MAX_CHARACTERS


def _warn_of_length(path: str, address: str) -> None:
    log.warning(
        "The link of %s has %d characters. Claid's pages name a limit of %d, its API contract 4,096: it is sent, and a "
        "refusal costs nothing",
        path,
        len(address),
        _LINK_MAX_CHARACTERS,
    )


def not_an_address(shown_value: object, parameter: str = "input") -> UnusableInputError:
    """Return the error of a value that is no address of a picture."""
    return UnusableInputError(
        f"{parameter}={shown_value!r} is not an address: use https://…, storage://NAME/…, s3://…, gs://… or file:///…"
    )


def _missing(path: str, parameter: str = "input") -> UnusableInputError:
    problem = quoted_path_problem(path) or "does not exist, or is a folder: name one file"
    return UnusableInputError(f"{parameter}={path!r} {problem}")
