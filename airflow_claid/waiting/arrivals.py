"""Polling a place for usable pictures; each file is judged once, until it is written anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from airflow_claid.delivery.judging import Verdict, judge, judge_whole
from airflow_claid.errors import DeadLinkError, DownloadRefusedError
from airflow_claid.storage.addresses import is_connected
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import find, reader
from airflow_claid.storage.places import is_in_receipts_folder
from airflow_claid.storage.stored_files import StoredFile
from airflow_claid.waiting.pictures import Poll, Watch

if TYPE_CHECKING:
    from airflow_claid.delivery.downloads import Downloader

_PARTIAL = (".partial", ".part", ".tmp", ".crdownload")


class ClaidAccess(Protocol):
    """What reaches connected storages and links, such as the hook. Read only where one of these is waited for."""

    @property
    def storages(self) -> ConnectedStorages:
        """The connected storages."""

    @property
    def downloader(self) -> Downloader:
        """What fetches links."""


class Arrivals:
    """Polls for what is waited for. Blocks, so it runs in a thread.

    :param watch: what is waited for.
    :param claid: reaches connected storages and links.
    """

    def __init__(self, watch: Watch, claid: ClaidAccess) -> None:
        self._watch = watch
        self._claid = claid
        self._judged: dict[str, tuple[str, Verdict]] = {}

    def poll(self) -> Poll:
        """Return what is there now.

        :raises ClaidError: one that is not retryable if no poll can succeed as things are, with the remedy.
        :raises Exception: whatever else stopped the poll; it may pass.
        """
        if self._watch.is_link:
            return _poll_of([(self._watch.output, self._link())])
        place = self._watch.place
        if place.file is not None:
            found = (find(uri) for uri in self._readable(place.folder + place.file))
            file = next((file for file in found if file is not None), None)
            return _poll_of([(self._watch.output, self._verdict(file))] if file else [])
        wanted: dict[str, StoredFile] = {}
        for folder in self._readable(place.folder):
            for file in list_files(folder, recursive=self._watch.recursive, receipts=False):
                if _counts(name := file.uri[len(folder) :]):
                    wanted.setdefault(name, file)
        poll = _poll_of((place.uri_of(name), self._verdict(file)) for name, file in wanted.items())
        self._forget_all_but({file.uri for file in wanted.values()})
        return poll

    def _readable(self, uri: str) -> tuple[str, ...]:
        """Return the addresses at which what is watched may be: Claid may write a path encoded or decoded."""
        if not is_connected(uri):
            return (uri,)
        self._claid.storages.readable_uri(uri)
        return self._claid.storages.readable_uris(uri)

    def _link(self) -> Verdict | None:
        downloader, link = self._claid.downloader, self._watch.output
        downloader.rules.check(link)
        try:
            with downloader.fetched(link) as content:
                return judge_whole(content)
        except DeadLinkError:
            return None
        except DownloadRefusedError:
            return Verdict.NO_PICTURE

    def _verdict(self, file: StoredFile) -> Verdict | None:
        """Judge a file, unless that was done; ``None`` if it has gone meanwhile."""
        state, verdict = self._judged.get(file.uri, ("", Verdict.NO_PICTURE))
        if state == file.state:
            return verdict
        try:
            verdict = judge(file.size, reader(file.uri))
        except FileNotFoundError:
            return None
        self._judged[file.uri] = (file.state, verdict)
        return verdict

    def _forget_all_but(self, uris: set[str]) -> None:
        for uri in self._judged.keys() - uris:
            self._judged.pop(uri, None)


def _poll_of(files: Iterable[tuple[str, Verdict | None]]) -> Poll:
    verdicts = {path: verdict for path, verdict in files if verdict is not None}
    count = Counter(verdicts.values())
    return Poll(
        usable=tuple(sorted(path for path, verdict in verdicts.items() if verdict is Verdict.USABLE)),
        blocked=count[Verdict.BLOCKED],
        unfinished=count[Verdict.UNFINISHED],
        others=count[Verdict.NO_PICTURE],
    )


def _counts(name: str) -> bool:
    """Whether a file in the folder can be a picture: not hidden, not on its way, not a receipt."""
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and not is_in_receipts_folder(name) and not name.lower().endswith(_PARTIAL)
