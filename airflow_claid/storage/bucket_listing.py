"""How S3 and Google Cloud Storage list a folder: a page at a time, each asked for while the one before is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from airflow_claid.storage.places import RECEIPTS_FOLDER, is_in_receipts_folder
from airflow_claid.storage.stored_files import moment_of

Info = Mapping[str, Any]
"""What a file system tells of a file."""

_PAGE = 1000
_GOOGLE_FIELDS = "items(name,size,md5Hash,crc32c,generation,updated),nextPageToken"

_LAST_RECEIPT = "~"
"""Comes after all names in a ``_claid/`` folder, which are lower-case letters and digits."""


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

    def end_of_receipts(self, page: _Page) -> str | None:
        """Return the key after which the listing goes on, if a page ends in a ``_claid/`` folder that does not count.

        ``None`` if it ends elsewhere, or is not sorted: not every storage sorts what it lists.
        """
        if self.receipts or not page.entries:
            return None
        keys = [key for key, _ in page.entries]
        path = keys[-1].removeprefix(self.prefix)
        if not is_in_receipts_folder(path) or keys != sorted(keys):
            return None
        before, _, _ = f"/{path}".partition(f"/{RECEIPTS_FOLDER}")
        folder = f"{before}/{RECEIPTS_FOLDER}".removeprefix("/")
        return f"{self.prefix}{folder}{_LAST_RECEIPT}"


@dataclass(frozen=True)
class _Page:
    """A page of a listing.

    :param entries: keys, and what is told of each.
    :param token: of the next page; ``None`` for the last one.
    """

    entries: Sequence[tuple[str, Info]]
    token: str | None


_Ask = Callable[[str | None, str | None], _Page]
"""Returns the page of a token, or the first one; or, given a key instead, the page of the keys after it."""


def in_s3(file_system: Any, wanted: Wanted) -> Iterator[tuple[str, Info]]:
    """Yield paths in the folder, and what is told of each. The time is told to the second, as ``info`` tells it."""
    request = {"Bucket": wanted.bucket, "Prefix": wanted.prefix + wanted.beginning, "MaxKeys": _PAGE}
    if not wanted.recursive:
        request["Delimiter"] = "/"

    def ask(token: str | None, after: str | None) -> _Page:
        start = {"ContinuationToken": token, "StartAfter": after}
        given = {name: value for name, value in start.items() if value is not None}
        page = file_system.call_s3("list_objects_v2", **request, **file_system.req_kw, **given)
        entries = [(entry["Key"], _s3_info(entry)) for entry in page.get("Contents", ())]
        return _Page(entries, page["NextContinuationToken"] if page.get("IsTruncated") else None)

    yield from _listed(ask, wanted)


def in_google_cloud(file_system: Any, wanted: Wanted) -> Iterator[tuple[str, Info]]:
    """Yield paths in the folder, and what is told of each. A page may be empty, and not the last one all the same."""
    query = {"prefix": wanted.prefix + wanted.beginning or None, "maxResults": _PAGE, "fields": _GOOGLE_FIELDS}
    if not wanted.recursive:
        query["delimiter"] = "/"

    def ask(token: str | None, after: str | None) -> _Page:
        start = {"pageToken": token, "startOffset": after}
        given = {name: value for name, value in start.items() if value is not None}
        page = file_system.call("GET", "b/{}/o", wanted.bucket, json_out=True, **query, **given)
        entries = [(entry["name"], _google_info(entry)) for entry in page.get("items", ())]
        return _Page(entries, page.get("nextPageToken") or None)

    yield from _listed(ask, wanted)


def _listed(ask: _Ask, wanted: Wanted) -> Iterator[tuple[str, Info]]:
    def ask_next(page: _Page) -> _Page:
        end = wanted.end_of_receipts(page)
        if end is not None:
            next_page = ask(None, end)
            if all(key > end for key, _ in next_page.entries[:1]):
                return next_page  # else the storage has no such request, and listed from the beginning
        return ask(page.token, None)

    with ThreadPoolExecutor(1, "claid-listing") as thread:
        asked = thread.submit(ask, None, None)
        while True:
            page = asked.result()
            if page.token is not None:
                asked = thread.submit(ask_next, page)
            for key, info in page.entries:
                yield key[len(wanted.prefix) :], info
            if page.token is None:
                return


def _s3_info(entry: Info) -> Info:
    return {
        "ETag": entry.get("ETag"),
        "LastModified": entry["LastModified"].replace(microsecond=0),
        "size": entry["Size"],
    }


def _google_info(entry: Info) -> Info:
    return {**entry, "size": int(entry.get("size", 0)), "mtime": moment_of(entry.get("updated"))}
