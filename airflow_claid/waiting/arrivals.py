"""Looking at a place, again and again, for good pictures; each file is judged once, until it is written anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property

from airflow_claid.delivery.judging import Verdict, judge, judge_whole
from airflow_claid.errors import DeadLinkError, DownloadRefusedError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.storage.addresses import is_connected
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import StoredFile, find, located
from airflow_claid.storage.places import RECEIPTS_FOLDER
from airflow_claid.waiting.pictures import Poll, Watch

_PARTIAL = (".partial", ".part", ".tmp", ".crdownload")


class Arrivals:
    """Looks for what is waited for. Blocks; belongs into a thread.

    :param watch: what is waited for.
    :param claid_conn_id: the Airflow connection to Claid, which is read only for ``storage://`` and for links.
    """

    def __init__(self, watch: Watch, claid_conn_id: str) -> None:
        self._watch = watch
        self._claid_conn_id = claid_conn_id
        self._judged: dict[str, tuple[str, Verdict]] = {}

    def look(self) -> Poll:
        """Tell what is there now.

        :raises ClaidValidationError: if it can never be looked at as things are, with the remedy.
        :raises Exception: whatever else stopped the looking; it may pass.
        """
        if self._watch.is_link:
            return _shown([(self._watch.output, self._link())])
        place = self._watch.place
        if place.file is not None:
            file = find(self._readable(place.folder + place.file))
            return _shown([(self._watch.output, self._verdict(file))] if file else [])
        folder = self._readable(place.folder)
        files = list_files(folder, recursive=self._watch.recursive)
        wanted = {name: file for file in files if _counts(name := file.uri[len(folder) :])}
        shown = _shown((place.uri_of(name), self._verdict(file)) for name, file in wanted.items())
        self._forget_all_but({file.uri for file in wanted.values()})
        return shown

    def _readable(self, uri: str) -> str:
        """Give the address by which Airflow reads what is watched."""
        return self._hook.storages.readable_uri(uri) if is_connected(uri) else uri

    @cached_property
    def _hook(self) -> ClaidHook:
        return ClaidHook(self._claid_conn_id)

    def _link(self) -> Verdict | None:
        downloader, link = self._hook.downloader, self._watch.output
        downloader.rules.check(link)
        try:
            return judge_whole(downloader.fetch(link))
        except DeadLinkError:
            return None
        except DownloadRefusedError:
            return Verdict.NO_PICTURE

    def _verdict(self, file: StoredFile) -> Verdict | None:
        """Judge a file, unless that was done; ``None`` where it has gone meanwhile."""
        state, verdict = self._judged.get(file.uri, ("", Verdict.NO_PICTURE))
        if state == file.state:
            return verdict
        try:
            verdict = judge(file.size, _reader(file.uri))
        except FileNotFoundError:
            return None
        self._judged[file.uri] = (file.state, verdict)
        return verdict

    def _forget_all_but(self, uris: set[str]) -> None:
        for uri in self._judged.keys() - uris:
            self._judged.pop(uri, None)


def _shown(files: Iterable[tuple[str, Verdict | None]]) -> Poll:
    verdicts = {path: verdict for path, verdict in files if verdict is not None}
    count = Counter(verdicts.values())
    return Poll(
        good=tuple(sorted(path for path, verdict in verdicts.items() if verdict is Verdict.GOOD)),
        blocked=count[Verdict.BLOCKED],
        unfinished=count[Verdict.UNFINISHED],
        others=count[Verdict.NO_PICTURE],
    )


def _counts(name: str) -> bool:
    """Whether a file in the folder can be a picture: not hidden, not on its way, not a receipt."""
    *folders, last = name.split("/")
    hidden = any(part.startswith(".") for part in (*folders, last))
    return not hidden and RECEIPTS_FOLDER.rstrip("/") not in folders and not last.lower().endswith(_PARTIAL)


def _reader(uri: str) -> Callable[[int, int], bytes]:
    path = located(uri)

    def read(start: int, end: int) -> bytes:
        content: bytes = path.fs.cat_file(path.path, start=start, end=end)
        return content

    return read
