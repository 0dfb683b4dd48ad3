"""Whatever way a bucket is listed, each file is told once, in not many more requests than there are pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_claid.storage import bucket_listing
from airflow_claid.storage.bucket_listing import Wanted, in_google_cloud, in_s3
from airflow_claid.storage.places import is_in_receipts_folder

NOW = datetime(2026, 7, 1, tzinfo=timezone.utc)


class Bucket:
    """A bucket, as its file system asks for it.

    :param keys: of its files.
    :param sorts: whether its listings are sorted; others go backwards.
    :param knows_start: whether it can begin after a key.
    """

    def __init__(self, keys: Iterable[str], *, sorts: bool = True, knows_start: bool = True) -> None:
        self.req_kw: dict[str, Any] = {}
        self._keys = sorted(keys)
        self._sorts = sorts
        self._knows_start = knows_start
        self.requests: list[dict[str, Any]] = []

    def call_s3(self, method: str, **request: Any) -> dict[str, Any]:
        assert method == "list_objects_v2"
        self.requests.append(request)
        start, begin = self._position(request.get("ContinuationToken"), request.get("StartAfter"))
        found = self._found(request["Prefix"], request.get("Delimiter"), lambda key: key > start)
        names, more = self._part(found, start, begin, request["MaxKeys"])
        return {
            "Contents": [{"Key": key, "Size": 1, "LastModified": NOW} for key, is_file in names if is_file],
            "CommonPrefixes": [{"Prefix": key} for key, is_file in names if not is_file],
            "IsTruncated": more is not None,
            "NextContinuationToken": more,
        }

    def call(self, _method: str, _path: str, _bucket: str, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        start, begin = self._position(request.get("pageToken"), request.get("startOffset"))
        found = self._found(request.get("prefix", ""), request.get("delimiter"), lambda key: key >= start)
        names, more = self._part(found, start, begin, request["maxResults"])
        page: dict[str, Any] = {"items": [{"name": key, "size": "1"} for key, is_file in names if is_file]}
        page["prefixes"] = [key for key, is_file in names if not is_file]
        return page if more is None else {**page, "nextPageToken": more}

    def _found(self, prefix: str, delimiter: str | None, is_wanted: Any) -> list[tuple[str, bool]]:
        """Return what is to be listed: keys, and whether each is a file's; else it is a folder."""
        names: dict[tuple[str, bool], None] = {}
        for key in self._keys:
            if key.startswith(prefix) and (is_wanted(key) or not self._knows_start):
                end = key.find("/", len(prefix)) if delimiter else -1
                names[(key, True) if end < 0 else (key[: end + 1], False)] = None
        listed = list(names)
        return listed if self._sorts else listed[::-1]

    def _position(self, token: str | None, start: str | None) -> tuple[str, int]:
        """Return where a page begins: after which key, and how many names later."""
        assert len(self.requests) < 1000, "It never ends"
        number, _, before = (token or "").partition(" ")
        return (before, int(number)) if token else (start or "", 0)

    @staticmethod
    def _part(
        found: list[tuple[str, bool]], start: str, begin: int, size: int
    ) -> tuple[list[tuple[str, bool]], str | None]:
        end = begin + size
        return found[begin:end], f"{end} {start}" if end < len(found) else None


def listed(bucket: Bucket, *, google: bool = False, receipts: bool = False, beginning: str = "") -> list[str]:
    wanted = Wanted("shop", "in/", beginning, recursive=True, receipts=receipts)
    paths = [path for path, _ in (in_google_cloud if google else in_s3)(bucket, wanted)]
    return sorted(path for path in paths if receipts or not is_in_receipts_folder(path))


names = st.sampled_from(["", "1", "2", "a", "b", "_claid", "_claid0", "c.png", "é", "0"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@settings(max_examples=300, deadline=None)
@given(
    files=st.sets(paths, max_size=30),
    page=st.integers(2, 5),
    large=st.integers(1, 3),
    kind=st.sampled_from(["s3", "google"]),
    bucket=st.sampled_from([{}, {"sorts": False}, {"knows_start": False}]),
    receipts=st.booleans(),
    beginning=st.sampled_from(["", "1", "a/", "_claid", "b/1"]),
)
def test_each_file_is_told_once(
    files: set[str], page: int, large: int, kind: str, bucket: dict[str, bool], receipts: bool, beginning: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bucket_listing, "_PAGE", page)
        patch.setattr(bucket_listing, "_LARGE", large)
        there = Bucket([f"in/{path}" for path in files] + ["inside", "in", "out/a.png"], **bucket)
        found = listed(there, google=kind == "google", receipts=receipts, beginning=beginning)
    wanted = (path for path in files if path.startswith(beginning))
    assert found == sorted(path for path in wanted if receipts or not is_in_receipts_folder(path))


def test_a_listing_ends_whatever_is_among_the_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that comes after those of receipts does not make it go back."""
    monkeypatch.setattr(bucket_listing, "_PAGE", 2)
    bucket = Bucket(["in/_claid/1.json", "in/_claid/2.json", *(f"in/_claid/é{number}" for number in range(5)), "in/z"])
    assert listed(bucket) == ["z"]
    assert len(bucket.requests) == 4


def test_a_directory_bucket_is_not_asked_to_begin_after_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_listing, "_PAGE", 2)
    monkeypatch.setattr(bucket_listing, "_LARGE", 2)
    pictures = [*(f"a/{number}.png" for number in range(20)), *(f"{folder}/1.png" for folder in range(30)), "z.png"]
    receipts = [f"_claid/{number}" for number in range(6)]
    bucket = Bucket([f"in/{path}" for path in pictures + receipts], sorts=False)
    paths = [path for path, _ in in_s3(bucket, Wanted("shop--use1-az4--x-s3", "in/", "", True, False))]
    assert sorted(path for path in paths if path not in receipts) == sorted(pictures)
    assert any("Delimiter" in request for request in bucket.requests)
    assert all("StartAfter" not in request for request in bucket.requests)


def in_folders(count: int, files: int, first: int = 0) -> list[str]:
    return [f"in/{folder:05}/{file:05}.png" for folder in range(first, first + count) for file in range(files)]


def test_large_folders_are_listed_one_by_one() -> None:
    bucket = Bucket([*in_folders(20, 1000), *(f"in/_claid/{number}.json" for number in range(20_000)), "in/z.png"])
    assert len(listed(bucket)) == 20_001
    assert len(bucket.requests) == 22
    assert [request["Prefix"] for request in bucket.requests].count("in/") == 2


def test_a_large_folder_within_another_is_split_as_well() -> None:
    bucket = Bucket([f"in/photos/{key}" for key in in_folders(8, 1500)])
    assert len(listed(bucket)) == 12_000
    assert len(bucket.requests) < 12 + 12


@pytest.mark.parametrize("knows_start", [True, False])
def test_many_small_folders_behind_a_large_one_do_not_take_a_request_each(knows_start: bool) -> None:
    bucket = Bucket([*in_folders(1, 3000), *in_folders(5000, 1, first=1), "in/z.png"], knows_start=knows_start)
    assert len(listed(bucket)) == 8001
    assert len(bucket.requests) < 30


def test_small_folders_are_listed_page_by_page() -> None:
    bucket = Bucket(in_folders(1000, 5))
    assert len(listed(bucket)) == 5000
    assert len(bucket.requests) == 5
