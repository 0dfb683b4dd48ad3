"""From the address that a task reported to a file that this machine can read, or the reason why it cannot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from airflow.sdk import BaseHook

from airflow_claid.client import ClaidError, ClaidMissingConnectionError
from airflow_claid.client.redaction import one_line, without_logins, without_queries
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.delivery.memory import FILES
from airflow_claid.errors import DeadLinkError, LinkNotAllowedError, PictureError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.storage.addresses import host_of, is_connected, is_link, is_storage, local_path, name_of, scheme_of
from airflow_claid.storage.object_storage import find, read
from airflow_claid.storage.stored_files import StoredFile
from airflow_claid.version_compat import AirflowNotFoundException

MOST_BYTES = 64_000_000
"""A larger file is not opened here."""

_UNREACHED_SECONDS = 20.0
"""So long a bucket that could not be read is not asked again: sixty pictures must not wait for it one by one."""

_HOOK_SECONDS = 300.0
_DOWNLOAD_SECONDS = 60.0


@dataclass(frozen=True)
class File:
    """A file that this machine can read.

    :param state: changes whenever the file is written anew; empty for a link, whose content never changes.
    """

    address: str
    state: str
    size: int | None = None
    downloader: Downloader | None = None

    @contextmanager
    def content(self) -> Iterator[bytes]:
        """Give its bytes for the time of a ``with`` block; they count in the memory that files may take.

        :raises NotShownError: if it is too large, or is there no more.
        """
        if self.downloader is not None:
            try:
                with self.downloader.fetched(self.address) as content:
                    yield content
            except DeadLinkError:
                raise NotShownError("Claid's temporary link has expired.", status=410, state="expired") from None
            except PictureError as error:
                raise NotShownError(str(error)) from None
            return
        if self.size is not None and self.size > MOST_BYTES:
            raise NotShownError(f"The file is too large to be shown here: {self.size / 1e6:,.0f} MB.", status=413)
        with FILES.reservation(self.size or MOST_BYTES):
            yield read(self.address)


class Reach:
    """Finds files by the addresses that tasks reported.

    :param clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._hooks: dict[str, tuple[float, ClaidHook]] = {}
        self._downloaders: dict[DownloadRules, Downloader] = {}
        self._unreached: dict[str, tuple[float, NotShownError]] = {}

    def readable(self, address: str, connection: Callable[[], str]) -> str:
        """Return the address by which this machine reads a file or folder.

        :param connection: returns the id of the Claid connection, where it is needed.
        :raises NotShownError: if it lacks what that needs.
        """
        if not is_connected(address):
            return address
        conn_id = connection()
        with self._known(f"storage://{conn_id}@{name_of(address)}"):
            uri = self._hook(conn_id).storages.find_readable_uri(address)
            if uri is None:
                lacking = f"the storage {name_of(address)!r} in the extra 'storages' of the connection {conn_id!r}"
                raise NotShownError(
                    f"Airflow's API server lacks {lacking}: it says which Airflow connection reaches its bucket.",
                    lacking=lacking,
                )
            return uri

    def file(self, address: str, connection: Callable[[], str]) -> File:
        """Find a file.

        :raises NotShownError: if it is not there, or cannot be read, with the reason.
        """
        if is_link(address):
            downloader = self._downloader(connection())
            try:
                downloader.rules.check(address)
            except LinkNotAllowedError as error:
                raise NotShownError(str(error)) from None
            return File(address, "", downloader=downloader)
        if not is_storage(address):
            raise NotShownError("This is no address of a file.", status=404)
        uri = self.readable(address, connection)
        with self._known(f"{scheme_of(uri)}://{host_of(uri)}"):
            _check_connection(uri)
            found = _find(uri)
        if found is None:
            raise NotShownError(_missing(uri), status=410, state="gone")
        return File(uri, found.state, found.size)

    def _downloader(self, connection: str) -> Downloader:
        """Return what fetches Claid's links by the rules of a connection, and no more than may be opened here."""
        rules = self._hook(connection).downloader.rules
        with self._lock:
            if rules not in self._downloaders:
                mine = replace(rules, max_bytes=MOST_BYTES, max_seconds=_DOWNLOAD_SECONDS)
                self._downloaders[rules] = Downloader(mine)
            return self._downloaders[rules]

    def _hook(self, connection: str) -> ClaidHook:
        """Return the hook of a connection; it is made anew after a while, as the connection may have changed."""
        with self._lock:
            made, hook = self._hooks.get(connection, (0.0, None))
            if hook is None or self._clock() - made > _HOOK_SECONDS:
                hook = ClaidHook(connection)
                self._hooks[connection] = (self._clock(), hook)
        try:
            hook.client  # noqa: B018 - reads the connection now, so that a missing one is told here
        except ClaidMissingConnectionError:
            with self._lock:
                self._hooks.pop(connection, None)
            raise _no_connection(connection, "Claid") from None
        except ClaidError as error:
            raise NotShownError(str(error), lacking=f"a usable connection {connection!r}") from None
        return hook

    @contextmanager
    def _known(self, place: str) -> Iterator[None]:
        """Turn whatever stops the reading into the reason, and remember it for a moment."""
        if local_path(place) is not None:
            yield
            return
        since, former = self._unreached.get(place, (0.0, None))
        if former is not None and self._clock() - since < _UNREACHED_SECONDS:
            raise former
        try:
            yield
        except NotShownError as error:
            reason = error
        except ClaidMissingConnectionError:
            reason = _no_connection(host_of(place).rpartition("@")[0], place)
        except Exception as error:  # noqa: BLE001 - storages raise errors of any kind
            lacking = f"access to {shown_place(place)}"
            reason = NotShownError(
                f"Airflow's API server cannot read {shown_place(place)}: {_said(error)}", lacking=lacking
            )
        else:
            self._unreached.pop(place, None)
            return
        self._unreached[place] = (self._clock(), reason)
        raise reason


def shown_place(place: str) -> str:
    """Return a bucket's address, and the connection that reaches it, in words."""
    connection, at, bucket = host_of(place).rpartition("@")
    by = f" by the connection {connection!r}" if at else ""
    return f"{scheme_of(place)}://{bucket}{by}"


def _find(uri: str) -> StoredFile | None:
    try:
        return find(uri)
    except PermissionError as error:
        if local_path(uri) is None:
            raise
        raise NotShownError(f"Airflow's API server may not read the file: {_said(error)}") from None


def _check_connection(uri: str) -> None:
    """Make sure that there is the connection of an address; some providers go on without one."""
    connection, at, _ = host_of(uri).rpartition("@")
    if at:
        try:
            BaseHook.get_connection(connection)
        except AirflowNotFoundException:
            raise _no_connection(connection, f"{scheme_of(uri)}://{host_of(uri).rpartition('@')[2]}") from None


def _no_connection(connection: str, what: str) -> NotShownError:
    lacking = f"the connection {connection!r}"
    return NotShownError(
        f"Airflow's API server has no connection {connection!r}, by which tasks reach {what}. Define it where the API "
        "server finds it too: in Airflow's database, in its environment or in the secrets backend.",
        lacking=lacking,
    )


def _missing(uri: str) -> str:
    if local_path(uri) is not None:
        return "There is no such file on the API server's machine: it was removed, or lies on a worker's own disk."
    return "The file is no longer at its place."


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(without_queries(without_logins(str(error))))}"
