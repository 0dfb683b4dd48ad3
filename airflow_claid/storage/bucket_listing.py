"""How S3 and Google Cloud Storage list a folder: in pages, several of which are asked for while one is read.

A listing as such comes page after page, for only a page tells where the next one begins. So a folder whose files are in
few large folders is listed folder by folder, of which some are asked for at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from airflow_claid.storage.places import RECEIPTS_FOLDER, is_in_receipts_folder
from airflow_claid.storage.stored_files import moment_of

Info = Mapping[str, Any]
"""What a file system tells of a file."""

_PAGE = 1000
_AT_ONCE = 4
_LARGE = 500
"""Files of a folder that is worth a request of its own."""

_GOOGLE_FIELDS = "items(name,size,md5Hash,crc32c,generation,updated),prefixes,nextPageToken"

_LAST_RECEIPT = "~"
"""Comes after all names in a ``_claid/`` folder, which are lower-case letters and digits."""

_UNSORTED = "--x-s3"
"""The end of the names of S3's directory buckets, which do not sort what they list, nor begin after a key."""


@dataclass(frozen=True)
class Wanted:
    """What is listed of a bucket.

    :param bucket: its name.
    :param prefix: what the keys of the files in the folder begin with.
    :param beginning: what their paths in the folder begin with.
    :param recursive: whether the folders in it count as well.
    :param receipts: whether the ``_claid/`` folders in it do. If not, pages that hold nothing else are not asked for;
        what is left of them on other pages is listed.
    """

    bucket: str
    prefix: str
    beginning: str
    recursive: bool
    receipts: bool


@dataclass(frozen=True)
class _Page:
    """A page of a listing.

    :param entries: keys, and what is told of each.
    :param token: of the next page; ``None`` for the last one.
    :param folders: what the keys in the folders begin with, where those are listed by themselves.
    """

    entries: Sequence[tuple[str, Info]]
    token: str | None
    folders: Sequence[str]


@dataclass(frozen=True)
class _Request:
    """What a page is asked for with.

    :param prefix: of the keys.
    :param by_folder: whether the folders are listed, and not what is in them.
    :param token: of the page; ``None`` for the first one.
    :param after: the key after which the first page begins.
    """

    prefix: str
    by_folder: bool = False
    token: str | None = None
    after: str | None = None


_Ask = Callable[[_Request], _Page]


def in_s3(file_system: Any, wanted: Wanted) -> Iterator[tuple[str, Info]]:
    """Yield paths in the folder, and what is told of each. The time is told to the second, as ``info`` tells it."""

    def ask(request: _Request) -> _Page:
        more = {
            "Delimiter": "/" if request.by_folder else None,
            "ContinuationToken": request.token,
            "StartAfter": request.after,
        }
        page = file_system.call_s3(
            "list_objects_v2",
            Bucket=wanted.bucket,
            Prefix=request.prefix,
            MaxKeys=_PAGE,
            **file_system.req_kw,
            **_given(more),
        )
        return _Page(
            [(entry["Key"], _s3_info(entry)) for entry in page.get("Contents", ())],
            page["NextContinuationToken"] if page.get("IsTruncated") else None,
            [folder["Prefix"] for folder in page.get("CommonPrefixes", ())],
        )

    return _listed(ask, wanted)


def in_google_cloud(file_system: Any, wanted: Wanted) -> Iterator[tuple[str, Info]]:
    """Yield paths in the folder, and what is told of each. A page may be empty, and not the last one all the same."""

    def ask(request: _Request) -> _Page:
        more = {
            "prefix": request.prefix or None,
            "delimiter": "/" if request.by_folder else None,
            "pageToken": request.token,
            "startOffset": request.after,
        }
        page = file_system.call(
            "GET",
            "b/{}/o",
            wanted.bucket,
            json_out=True,
            maxResults=_PAGE,
            fields=_GOOGLE_FIELDS,
            **_given(more),
        )
        return _Page(
            [(entry["name"], _google_info(entry)) for entry in page.get("items", ())],
            page.get("nextPageToken") or None,
            page.get("prefixes", ()),
        )

    return _listed(ask, wanted)


def _listed(ask: _Ask, wanted: Wanted) -> Iterator[tuple[str, Info]]:
    with ThreadPoolExecutor(_AT_ONCE, "claid-listing") as threads:
        for key, info in _Listing(ask, wanted, threads).entries():
            yield key[len(wanted.prefix) :], info


class _Listing:
    """Lists what is wanted of a bucket.

    :param ask: returns a page.
    :param threads: in which pages are asked for.
    """

    def __init__(self, ask: _Ask, wanted: Wanted, threads: ThreadPoolExecutor) -> None:
        self._ask = ask
        self._wanted = wanted
        self._threads = threads
        self._sorts = not wanted.bucket.endswith(_UNSORTED)
        self._passed: set[str] = set()
        """Ends of receipts behind which the listing went on; once each, whatever is found there."""

    def entries(self) -> Iterator[tuple[str, Info]]:
        """Yield keys, and what is told of each."""
        prefix = self._wanted.prefix + self._wanted.beginning
        if self._wanted.recursive:
            yield from self._below(prefix, self._asked(_Request(prefix)))
        else:
            for page in self._pages(_Request(prefix, by_folder=True)):
                yield from page.entries

    def _below(self, prefix: str, first: Future[_Page]) -> Iterator[tuple[str, Info]]:
        """List all files, however deep."""
        if first.result().token is not None and _is_in_large_folders(prefix, first.result()):
            folders: list[str] = []
            for page in self._pages(_Request(prefix, by_folder=True)):
                yield from page.entries
                folders += page.folders
            yield from self._folder_by_folder(prefix, sorted(filter(self._counts, folders)))
        else:
            for page in self._pages(_Request(prefix), first):
                yield from page.entries

    def _folder_by_folder(self, prefix: str, folders: Sequence[str]) -> Iterator[tuple[str, Info]]:
        """List several folders; if they are not as large as the first one, what is left of them is listed at once."""
        rest, asked = deque(folders), deque[tuple[str, Future[_Page]]]()
        count = files = 0
        while rest or asked:
            while rest and len(asked) < _AT_ONCE and files >= count * _LARGE:
                asked.append((rest[0], self._asked(_Request(rest.popleft()))))
            if not asked:
                break
            for entry in self._below(*asked.popleft()):
                files += 1
                yield entry
            count += 1
        if rest:
            after = f"{folders[-len(rest) - 1][:-1]}0" if self._sorts else None
            for page in self._pages(_Request(prefix, after=after)):
                for key, info in page.entries:
                    if (_folder_of(prefix, key) or "") >= rest[0]:
                        yield key, info

    def _pages(self, request: _Request, first: Future[_Page] | None = None) -> Iterator[_Page]:
        """Yield the pages of a listing. Each is asked for while the one before is read."""
        asked = first or self._asked(request)
        while True:
            page = asked.result()
            if page.token is not None:
                asked = self._threads.submit(self._next, request, page)
            yield page
            if page.token is None:
                return

    def _next(self, request: _Request, page: _Page) -> _Page:
        """Return the page after a page; of receipts that do not count, the page after the last of them."""
        end = None if request.by_folder else self._end_of_receipts(page)
        if end is not None and end not in self._passed:
            self._passed.add(end)
            next_page = self._ask(_Request(request.prefix, after=end))
            if all(key > end for key, _ in next_page.entries[:1]):
                return next_page  # else the storage has no such request, and listed from the beginning
        return self._ask(_Request(request.prefix, request.by_folder, page.token))

    def _end_of_receipts(self, page: _Page) -> str | None:
        """Return the key after which the listing goes on, if a page ends in a ``_claid/`` folder that does not count.

        ``None`` if it ends elsewhere, or is not sorted: not every storage sorts what it lists.
        """
        if self._wanted.receipts or not self._sorts or not page.entries:
            return None
        keys = [key for key, _ in page.entries]
        path = keys[-1].removeprefix(self._wanted.prefix)
        if not is_in_receipts_folder(path) or keys != sorted(keys):
            return None
        before, _, _ = f"/{path}".partition(f"/{RECEIPTS_FOLDER}")
        folder = f"{before}/{RECEIPTS_FOLDER}".removeprefix("/")
        return f"{self._wanted.prefix}{folder}{_LAST_RECEIPT}"

    def _counts(self, folder: str) -> bool:
        return self._wanted.receipts or not is_in_receipts_folder(folder.removeprefix(self._wanted.prefix))

    def _asked(self, request: _Request) -> Future[_Page]:
        return self._threads.submit(self._ask, request)


def _is_in_large_folders(prefix: str, page: _Page) -> bool:
    """Tell whether the files of a page are in so few folders that listing each by itself takes few more requests."""
    folders = {_folder_of(prefix, key) for key, _ in page.entries} - {None}
    return 0 < len(folders) * _LARGE <= len(page.entries)


def _folder_of(prefix: str, key: str) -> str | None:
    """Return the folder after a prefix that a key is in, to its ``/``; ``None`` for a file beside those folders."""
    end = key.find("/", len(prefix))
    return None if end < 0 else key[: end + 1]


def _given(parameters: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}


def _s3_info(entry: Info) -> Info:
    return {
        "ETag": entry.get("ETag"),
        "LastModified": entry["LastModified"].replace(microsecond=0),
        "size": entry["Size"],
    }


def _google_info(entry: Info) -> Info:
    return {**entry, "size": int(entry.get("size", 0)), "mtime": moment_of(entry.get("updated"))}
