from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_claid.storage import bucket_listing
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import Inventory, list_files, stream_files
from airflow_claid.storage.object_storage import ListingRefusedError, find, write_whole
from tests.conftest import Connect
from tests.support.scripted_server import Reply, ScriptedServer, as_json

RECURSIVE = pytest.mark.parametrize("recursive", [False, True])


@pytest.fixture(params=["local", "s3", "gcs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    root = f"file://{tmp_path}" if request.param == "local" else request.getfixturevalue(request.param)
    return f"{root}/spring/"


def test_it_knows_the_files_of_a_folder_and_of_the_folders_in_it(folder: str) -> None:
    for name in ("LAMP_1.png", "_claid/abc.json", "CHAIR-1/a b.png"):
        write_whole(folder + name, b"content")
    write_whole(folder.replace("spring", "springtime") + "X_1.png", b"content")
    inventory = Inventory(folder)
    assert len(inventory) == 2
    assert all(inventory.has(name) for name in ("LAMP_1.png", "CHAIR-1/a b.png"))
    assert not any(inventory.has(name) for name in ("X_1.png", "_claid/abc.json", "CHAIR-1", "", "_claid/"))


def test_a_file_is_told_from_another_by_the_buckets_checksum_or_the_size(folder: str) -> None:
    write_whole(folder + "LAMP_1.png", b"a lamp")
    checksum = checksum_if_there(folder + "LAMP_1.png")
    assert Inventory(folder).holds("LAMP_1.png", checksum=checksum, size=len(b"a lamp"))
    assert not Inventory(folder).holds("LAMP_2.png", checksum=checksum, size=len(b"a lamp"))
    write_whole(folder + "LAMP_1.png", b"another lamp")
    assert not Inventory(folder).holds("LAMP_1.png", checksum=checksum, size=len(b"a lamp"))
    assert not Inventory(folder).holds("LAMP_1.png", checksum=None, size=None)


def test_what_has_come_or_gone_since_another_look_is_seen(folder: str) -> None:
    write_whole(folder + "LAMP_1.png", b"a lamp")
    assert len(Inventory(folder)) == 1
    write_whole(folder + "LAMP_2.png", b"a lamp")
    ObjectStoragePath(folder + "LAMP_1.png").unlink()
    inventory = Inventory(folder)
    assert (inventory.has("LAMP_1.png"), inventory.has("LAMP_2.png")) == (False, True)


@RECURSIVE
def test_a_folder_that_is_not_there_is_empty(folder: str, recursive: bool) -> None:
    assert len(Inventory(folder, recursive=recursive)) == 0
    assert list_files(folder, recursive=recursive) == []


@RECURSIVE
def test_a_file_in_the_folders_place_is_no_folder(folder: str, recursive: bool) -> None:
    write_whole(folder.rstrip("/"), b"no folder")
    assert len(Inventory(folder, recursive=recursive)) == 0
    assert list_files(folder, recursive=recursive) == []


def when_listed(folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """Let one local folder raise an error when it is listed."""
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if Path(path) == folder:
            raise error
        return scandir(path)

    monkeypatch.setattr("os.scandir", refusing)


@pytest.mark.parametrize(("refused", "recursive"), [("", False), ("", True), ("sub", True)])
def test_what_stops_the_listing_is_never_taken_for_an_empty_folder(
    refused: str, recursive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(f"file://{tmp_path}/sub/LAMP_1.png", b"a lamp")
    when_listed(tmp_path / refused, monkeypatch, PermissionError("forbidden"))
    with pytest.raises(PermissionError):
        Inventory(f"file://{tmp_path}/", recursive=recursive).has("LAMP_1.png")
    with pytest.raises(PermissionError):
        list_files(f"file://{tmp_path}/", recursive=recursive)


def test_a_folder_that_goes_while_the_others_are_listed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.png", "gone/2.png", "z/3.png"):
        write_whole(f"file://{tmp_path}/{name}", b"a lamp")
    when_listed(tmp_path / "gone", monkeypatch, FileNotFoundError("gone"))
    names = [f"file://{tmp_path}/{name}" for name in ("a/1.png", "z/3.png")]
    assert [file.uri for file in list_files(f"file://{tmp_path}/", recursive=True)] == names
    assert len(Inventory(f"file://{tmp_path}/")) == 2


def test_links_in_a_local_folder_are_not_followed(tmp_path: Path) -> None:
    write_whole(f"file://{tmp_path}/in/a.png", b"a lamp")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "in" / "a.png")
    folder = f"file://{tmp_path}/in/"
    for recursive in (False, True):
        assert [file.uri for file in list_files(folder, recursive=recursive)] == [f"{folder}a.png"]


def test_folders_in_the_folder_count_only_where_they_are_asked_for(folder: str) -> None:
    for name in ("LAMP_1.png", "_claid/abc.json"):
        write_whole(folder + name, b"content")
    inventory = Inventory(folder, recursive=False)
    assert len(inventory) == 1
    assert inventory.has("LAMP_1.png")
    assert Inventory(folder + "_claid/", recursive=False).has("abc.json")


def test_the_files_directly_in_a_folder_are_listed_by_name(folder: str) -> None:
    for name in ("b.png", "a.png", "_claid/x.json", "deep/er/c.png"):
        write_whole(folder + name, name.encode())
    assert [(file.uri, file.size) for file in list_files(folder)] == [(f"{folder}a.png", 5), (f"{folder}b.png", 5)]


def test_files_below_a_folder_are_listed_by_their_paths_in_it(folder: str) -> None:
    for name in ("b.png", "deep/a b.png", "_claid/x.json"):
        write_whole(folder + name, name.encode())
    write_whole(folder.rstrip("/") + "time.png", b"outside")
    files = list_files(folder, recursive=True)
    assert [(file.uri, file.size) for file in files] == [
        (f"{folder}_claid/x.json", 13),
        (f"{folder}b.png", 5),
        (f"{folder}deep/a b.png", 12),
    ]
    if not folder.startswith("file://"):
        before = files[1].checksum
        write_whole(f"{folder}b.png", b"b.png")
        assert list_files(folder, recursive=True)[1].checksum == before is not None


@RECURSIVE
@pytest.mark.parametrize("name", ["a.png", "a b%20+&c=d.png", "été 椅子.png", "[x] {y} #1.png"])
def test_a_listed_file_is_the_file_that_is_found_by_its_address(folder: str, recursive: bool, name: str) -> None:
    write_whole(folder + name, b"a lamp")
    found = find(folder + name)
    assert found is not None
    assert list_files(folder, recursive=recursive) == [found]


@RECURSIVE
def test_a_listed_file_tells_when_it_was_written(folder: str, recursive: bool) -> None:
    write_whole(f"{folder}a.png", b"a lamp")
    (file,), found = list_files(folder, recursive=recursive), find(f"{folder}a.png")
    assert found is not None
    assert file.modified is not None
    assert file.modified.utcoffset() == timedelta(0)
    assert file.modified == found.modified
    assert abs(datetime.now(timezone.utc) - file.modified) < timedelta(minutes=5)


def test_a_key_is_listed_as_it_is_written_unless_it_is_that_of_a_folder(s3_client: Any, s3: str) -> None:
    keys = ["a//b.png", "a/b%2Fc.png", "a/folder/", "a/x+y z.png", "a/zoë?.png"]
    for key in ("a/", *keys, "ab.png"):
        s3_client.put_object(Bucket=s3.partition("@")[2], Key=key, Body=b"" if key.endswith("/") else b"a lamp")
    uris = [f"{s3}/{key}" for key in keys if not key.endswith("/")]
    files = list_files(f"{s3}/a/", recursive=True)
    assert [file.uri for file in files] == uris
    assert files == [find(uri) for uri in uris]
    assert [file.uri for file in list_files(f"{s3}/a/")] == uris[1:]
    assert [file.uri for file in list_files(f"{s3}/a//")] == uris[:1]
    assert [file.uri for file in list_files(f"{s3}/")] == [f"{s3}/ab.png"]


@RECURSIVE
def test_only_names_of_the_beginning_that_is_asked_for_are_listed(folder: str, recursive: bool) -> None:
    for name in ("2026-a.png", "2026-b/c.png", "2025-a.png"):
        write_whole(folder + name, b"a lamp")
    names = ["2026-a.png", "2026-b/c.png"][: 1 + recursive]
    files = stream_files(folder, recursive=recursive, beginning="2026-")
    assert sorted(file.uri for file in files) == [folder + name for name in names]


def test_local_folders_of_another_beginning_are_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("2026-b/c.png", "lost+found/d.png"):
        write_whole(f"file://{tmp_path}/{name}", b"a lamp")
    when_listed(tmp_path / "lost+found", monkeypatch, PermissionError("forbidden"))
    (file,) = stream_files(f"file://{tmp_path}/", recursive=True, beginning="2026-")
    assert file.uri == f"file://{tmp_path}/2026-b/c.png"


@RECURSIVE
def test_a_long_listing_of_s3_comes_page_by_page(s3: str, monkeypatch: pytest.MonkeyPatch, recursive: bool) -> None:
    monkeypatch.setattr(bucket_listing, "_PAGE", 2)
    for number in range(5):
        write_whole(f"{s3}/a/{number}.png", b"a lamp")
        write_whole(f"{s3}/a/{number}/deep.png", b"a lamp")
    files = list_files(f"{s3}/a/", recursive=recursive)
    assert len(files) == len(set(files)) == (10 if recursive else 5)


RECEIPTS_AND_PICTURES = (
    "1.png",
    *(f"_claid/{number}.json" for number in range(9)),
    *(f"_claid/batches/{number}/part-1.jsonl" for number in range(4)),
    "_claid0.png",
    "a/1.png",
    *(f"a/_claid/{number:x}.json" for number in range(16)),
    "a/_claidé.png",
    "not_claid/1.png",
    "z.png",
)
PICTURES = [name for name in RECEIPTS_AND_PICTURES if "_claid/" not in name or name.startswith("not_")]


@dataclass
class Asked:
    """The requests of a listing, and how the storage differs from S3.

    :param ignored: parameter of the request that it does not know.
    :param sorted: whether it sorts what it lists.
    """

    ignored: str = ""
    sorted: bool = True
    requests: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def asked(s3: str, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A folder with receipts and pictures, in pages of two files."""
    asked, file_system = Asked(), ObjectStoragePath(f"{s3}/in/").fs
    for name in RECEIPTS_AND_PICTURES:
        write_whole(f"{s3}/in/{name}", b"a lamp")
    call_s3 = file_system.call_s3

    def call(method: str, **request: Any) -> Any:
        if method == "list_objects_v2":
            asked.requests.append(request)
            request = {name: value for name, value in request.items() if name != asked.ignored}
        page = call_s3(method, **request)
        if method == "list_objects_v2" and not asked.sorted:
            page["Contents"].reverse()
        return page

    monkeypatch.setattr(bucket_listing, "_PAGE", 2)
    monkeypatch.setattr(file_system, "call_s3", call)
    return asked


def test_pages_that_hold_receipts_alone_are_not_asked_for(s3: str, asked: Asked) -> None:
    files = list_files(f"{s3}/in/", recursive=True, receipts=False)
    assert [file.uri for file in files] == [f"{s3}/in/{name}" for name in sorted(PICTURES)]
    assert len(asked.requests) == 5
    assert len(Inventory(f"{s3}/in/")) == len(PICTURES)
    assert len(asked.requests) == 10


def test_receipts_that_are_asked_for_are_listed(s3: str, asked: Asked) -> None:
    assert len(list_files(f"{s3}/in/", recursive=True)) == len(RECEIPTS_AND_PICTURES)
    assert len(list_files(f"{s3}/in/_claid/", receipts=False)) == 9


def test_what_stands_before_and_behind_the_receipts_is_listed_with_a_beginning(s3: str, asked: Asked) -> None:
    files = stream_files(f"{s3}/in/", recursive=True, receipts=False, beginning="a/_c")
    assert [file.uri for file in files] == [f"{s3}/in/a/_claidé.png"]
    assert len(asked.requests) == 2


@pytest.mark.parametrize("differs", [{"ignored": "StartAfter"}, {"sorted": False}])
def test_a_storage_that_cannot_pass_over_the_receipts_is_listed_all_the_same(
    s3: str, asked: Asked, differs: dict[str, Any]
) -> None:
    vars(asked).update(differs)
    files = list_files(f"{s3}/in/", recursive=True, receipts=False)
    assert [file.uri for file in files] == [f"{s3}/in/{name}" for name in sorted(PICTURES)]


def test_the_next_page_of_s3_is_asked_for_while_a_page_is_read(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_listing, "_PAGE", 2)
    for number in range(6):
        write_whole(f"{s3}/a/{number}.png", b"a lamp")
    asked: list[str | None] = []
    called = threading.Condition()
    file_system = ObjectStoragePath(f"{s3}/a/").fs
    call_s3 = file_system.call_s3

    def counted(method: str, **request: Any) -> Any:
        with called:
            asked.append(request.get("ContinuationToken"))
            called.notify_all()
        return call_s3(method, **request)

    monkeypatch.setattr(file_system, "call_s3", counted)
    files = stream_files(f"{s3}/a/")
    assert next(files).uri == f"{s3}/a/0.png"
    with called:
        assert called.wait_for(lambda: len(asked) == 2, 30)
    assert len(list(files)) == 5
    assert len(asked) == len(set(asked)) == 3


@pytest.fixture
def google(connect: Connect, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of Google Cloud Storage that is played by the scripted server."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", scripted.url)
    extra = {"is_anonymous": True, "project": "p", "gcs.endpoint": scripted.url}
    return f"gs://{connect(f'google_{urlsplit(scripted.url).port}', conn_type='google_cloud_platform', extra=extra)}@b"


def page(*names: str, token: str | None = None) -> Reply:
    facts = {"size": "6", "md5Hash": "abc=", "generation": "1", "updated": "2026-07-01T10:20:30.125Z"}
    more = {"nextPageToken": token} if token else {}
    return as_json({"kind": "storage#objects", "items": [{"name": name, **facts} for name in names], **more})


def test_the_next_page_of_google_is_asked_for_while_a_page_is_read(google: str, scripted: ScriptedServer) -> None:
    scripted.replies(page("in/a.png", "in/b.png", token="2"), page(token="3"), page("in/c.png"))
    files = stream_files(f"{google}/in/")
    first = next(files)
    deadline = time.monotonic() + 30
    while len(scripted.received) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(scripted.received) == 2
    assert (first.uri, first.size, first.checksum) == (f"{google}/in/a.png", 6, "abc=")
    assert first.modified == datetime(2026, 7, 1, 10, 20, 30, 125000, tzinfo=timezone.utc)
    assert [file.uri for file in files] == [f"{google}/in/b.png", f"{google}/in/c.png"]
    queries = [parse_qs(urlsplit(request.path).query) for request in scripted.received]
    assert [query.get("pageToken") for query in queries] == [None, ["2"], ["3"]]
    assert {(*query["prefix"], *query["delimiter"]) for query in queries} == {("in/", "/")}


def test_pages_of_google_that_hold_receipts_alone_are_not_asked_for(google: str, scripted: ScriptedServer) -> None:
    scripted.replies(
        page("in/a.png", "in/b/_claid/1.json", token="2"), page("in/b/c.png", "in/c/_claid/1.json", token="3"), page()
    )
    files = stream_files(f"{google}/in/", recursive=True, receipts=False)
    assert [file.uri for file in files] == [f"{google}/in/a.png", f"{google}/in/b/c.png"]
    queries = [parse_qs(urlsplit(request.path).query) for request in scripted.received]
    assert [query.get("startOffset") for query in queries] == [None, ["in/b/_claid/~"], ["in/c/_claid/~"]]
    assert [query.get("pageToken") for query in queries] == [None, None, None]


@pytest.mark.parametrize(("status", "error"), [(404, FileNotFoundError), (403, ListingRefusedError)])
def test_a_listing_that_stops_half_way_is_never_taken_for_a_whole_one(
    google: str, scripted: ScriptedServer, status: int, error: type[OSError]
) -> None:
    scripted.replies(page("in/a.png", token="2"), as_json({"error": {"code": status, "message": "gone"}}, status))
    with pytest.raises(error):
        list_files(f"{google}/in/")


def test_a_local_folder_of_receipts_is_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "b/_claid/1.json", "b/c.png"):
        write_whole(f"file://{tmp_path}/{name}", b"a lamp")
    when_listed(tmp_path / "b" / "_claid", monkeypatch, PermissionError("forbidden"))
    names = [f"file://{tmp_path}/{name}" for name in ("a.png", "b/c.png")]
    assert [file.uri for file in list_files(f"file://{tmp_path}/", recursive=True, receipts=False)] == names


@RECURSIVE
def test_a_file_system_without_pages_is_listed_as_well(recursive: bool) -> None:
    attach("memory", fs=MemoryFileSystem())
    write_whole("memory://bucket/in/a.png", b"a lamp")
    write_whole("memory://bucket/in/deep/b.png", b"a lamp")
    write_whole("memory://bucket/in/deep/_claid/1.json", b"a receipt")
    names = ["a.png", "deep/b.png"][: 1 + recursive]
    files = list_files("memory://bucket/in/", recursive=recursive, receipts=False)
    assert [file.uri for file in files] == [f"memory://bucket/in/{name}" for name in names]
    assert list_files("memory://bucket/nothing/", recursive=recursive) == []
