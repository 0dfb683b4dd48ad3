from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import Inventory, list_files
from airflow_claid.storage.object_storage import (
    ListingRefusedError,
    create_whole,
    find,
    located,
    read_if_there,
    write_beside,
    write_whole,
)
from airflow_claid.storage.stored_files import StoredFile
from tests.conftest import Connect, s3_connection
from tests.support.scripted_server import Reply, ScriptedServer

DENIED = Reply(
    403,
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    {"Content-Type": "application/xml"},
)


@pytest.fixture(params=["local", "s3", "gcs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new folder's address, ending with ``/``, in each kind of storage."""
    if request.param == "local":
        return f"file://{tmp_path}/out/"
    return f"{request.getfixturevalue(request.param)}/out/"


def test_what_is_written_is_read(folder: str) -> None:
    write_whole(f"{folder}a/b.png", b"first")
    assert read_if_there(f"{folder}a/b.png") == b"first"
    write_whole(f"{folder}a/b.png", b"second")
    assert read_if_there(f"{folder}a/b.png") == b"second"


@pytest.mark.parametrize("name", ["SKU 1.png", "été.png", "椅子.png", "a,b(1).png", "[x].png", "a+b&c=d.png"])
def test_any_name_that_is_allowed_is_kept(folder: str, name: str) -> None:
    write_whole(folder + name, b"content")
    assert read_if_there(folder + name) == b"content"
    found = find(folder + name)
    assert found is not None
    assert (found.uri, found.size) == (folder + name, 7)
    assert [file.uri for file in list_files(folder)] == [folder + name]


def test_what_is_not_there_is_none(folder: str) -> None:
    assert read_if_there(f"{folder}nothing.json") is None
    assert find(f"{folder}nothing.json") is None
    assert list_files(folder) == []


def test_an_empty_file_is_there(folder: str) -> None:
    write_whole(f"{folder}empty.json", b"")
    assert read_if_there(f"{folder}empty.json") == b""
    assert find(f"{folder}empty.json") is not None


def test_a_folder_is_not_a_file(folder: str) -> None:
    write_whole(f"{folder}a/b.png", b"first")
    assert find(f"{folder}a") is None


def test_a_file_that_comes_after_one_has_looked_is_found(folder: str) -> None:
    """File systems keep listings; an answer that was lost may arrive while we look for it."""
    assert find(f"{folder}late.png") is None
    assert list_files(folder) == []
    writer = threading.Thread(target=write_whole, args=(f"{folder}late.png", b"content"))
    writer.start()
    writer.join()
    assert find(f"{folder}late.png") is not None
    assert [file.uri for file in list_files(folder)] == [f"{folder}late.png"]


def test_a_file_that_is_written_anew_is_told_from_the_one_before(folder: str) -> None:
    write_whole(f"{folder}a.png", b"first!")
    before, unchanged = find(f"{folder}a.png"), find(f"{folder}a.png")
    time.sleep(0.01)  # a file system tells times no finer
    write_whole(f"{folder}a.png", b"second")
    after = find(f"{folder}a.png")
    assert isinstance(before, StoredFile)
    assert isinstance(after, StoredFile)
    assert before == unchanged
    assert before.size == after.size
    assert before.state != after.state


def test_the_version_of_a_content_changes_with_the_content_only(folder: str) -> None:
    write_whole(f"{folder}a.png", b"first!")
    first = checksum_if_there(f"{folder}a.png")
    write_whole(f"{folder}a.png", b"second")
    assert checksum_if_there(f"{folder}a.png") != first
    write_whole(f"{folder}a.png", b"first!")
    assert checksum_if_there(f"{folder}a.png") == first
    assert checksum_if_there(f"{folder}nothing.png") is None


def test_a_reader_sees_the_old_file_or_the_new_one_and_nothing_between(folder: str) -> None:
    contents = {bytes([letter]) * 200_000 for letter in b"ab"}
    write_whole(f"{folder}a.png", b"a" * 200_000)
    seen: set[bytes | None] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(read_if_there(f"{folder}a.png"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(10):
            for content in sorted(contents):
                write_whole(f"{folder}a.png", content)
    finally:
        done.set()
        watcher.join()
    assert seen
    assert seen <= contents


def test_many_threads_write_files_of_their_own(folder: str) -> None:
    threads = [
        threading.Thread(target=write_whole, args=(f"{folder}{number}.png", str(number).encode()))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {file.uri: read_if_there(file.uri) for file in list_files(folder)} == {
        f"{folder}{number}.png": str(number).encode() for number in range(12)
    }


def test_the_checksum_of_a_written_file_is_the_one_that_a_later_look_tells(folder: str) -> None:
    for content in (b"first", b"second", b""):
        written = write_beside(f"{folder}a.png", content)
        found = find(written.uri)
        assert found is not None
        assert (written.uri, written.checksum) == (f"{folder}a.png", found.checksum)
        assert (written.checksum is None) is folder.startswith("file://")


def test_a_google_bucket_knows_what_kind_of_file_was_written(gcs: str) -> None:
    for name, kind in (("a.png", "image/png"), ("a.json", "application/json"), ("a", "application/octet-stream")):
        write_whole(f"{gcs}/{name}", b"content")
        path = located(f"{gcs}/{name}")
        assert path.fs.info(path.path)["contentType"] == kind


@pytest.mark.parametrize("told", [True, False])
def test_a_written_file_is_looked_at_only_where_the_answer_tells_no_checksum(
    refusing_s3: str, scripted: ScriptedServer, told: bool
) -> None:
    tag = {"ETag": '"of an encrypted file"', "x-amz-server-side-encryption": "aws:kms"}
    scripted.replies(Reply(200, headers=tag if told else {}), Reply(200, headers=tag))
    assert write_beside(f"s3://{refusing_s3}@bucket/a.png", b"content").checksum == '"of an encrypted file"'
    assert [request.method for request in scripted.received] == (["PUT"] if told else ["PUT", "HEAD"])


def test_a_write_that_fails_leaves_the_old_file_and_no_part_of_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"file://{tmp_path}/a.png"
    write_whole(uri, b"old")

    def full_disk(_: int) -> None:
        assert {path.name for path in tmp_path.iterdir()} > {"a.png"}
        assert (tmp_path / "a.png").read_bytes() == b"old"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_whole(uri, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_folder_in_a_files_place_is_not_taken_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(IsADirectoryError):
        read_if_there(f"file://{tmp_path}/a.json")
    with pytest.raises(OSError, match="directory"):
        write_whole(f"file://{tmp_path}/a.json", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.fixture
def refusing_s3(connect: Connect, scripted: ScriptedServer) -> str:
    """A connection to a bucket at the scripted server; of a name of its own, for Airflow keeps file systems by name."""
    return connect(f"s3_{urlsplit(scripted.url).port}", **s3_connection(scripted.url))


@pytest.mark.parametrize("look", [read_if_there, find, list_files, checksum_if_there])
def test_a_bucket_that_may_not_be_read_is_not_taken_for_an_empty_one(
    refusing_s3: str, scripted: ScriptedServer, look: Callable[[str], object]
) -> None:
    scripted.replies(DENIED)
    with pytest.raises(PermissionError):
        look(f"s3://{refusing_s3}@bucket/a.json")
    assert scripted.received


@pytest.mark.parametrize(
    "look", [read_if_there, find, list_files, checksum_if_there, lambda uri: Inventory(uri).has("a")]
)
def test_a_bucket_that_may_not_be_listed_says_so_and_which_right_it_lacks(
    refusing_s3: str, scripted: ScriptedServer, look: Callable[[str], object]
) -> None:
    scripted.replies(DENIED)
    with pytest.raises(ListingRefusedError) as caught:
        look(f"s3://{refusing_s3}@bucket/out/a.json")
    for part in ("may not list s3://bucket/out/", "403 Forbidden to each file that is not there", "s3:ListBucket"):
        assert part in str(caught.value)


def test_a_file_that_may_not_be_read_in_a_bucket_that_may_be_listed_is_another_thing(
    refusing_s3: str, scripted: ScriptedServer
) -> None:
    listing = b"<?xml version='1.0'?><ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
    scripted.replies(DENIED, Reply(200, listing, {"Content-Type": "application/xml"}))
    with pytest.raises(PermissionError) as caught:
        read_if_there(f"s3://{refusing_s3}@bucket/out/a.json")
    assert not isinstance(caught.value, ListingRefusedError)


def test_a_bucket_that_may_not_be_written_refuses_at_once(refusing_s3: str, scripted: ScriptedServer) -> None:
    scripted.replies(DENIED)
    with pytest.raises(PermissionError):
        write_whole(f"s3://{refusing_s3}@bucket/a.json", b"content")


@pytest.mark.parametrize("look", [read_if_there, find, list_files, checksum_if_there])
def test_a_google_bucket_that_may_not_be_read_is_not_taken_for_an_empty_one(
    connect: Connect, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, look: Callable[[str], object]
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", scripted.url)
    extra = {"is_anonymous": True, "project": "p", "gcs.endpoint": scripted.url}
    conn_id = connect(f"google_{urlsplit(scripted.url).port}", conn_type="google_cloud_platform", extra=extra)
    body = b'{"error": {"code": 403, "message": "does not have storage.objects.get access"}}'
    scripted.replies(Reply(403, body, {"Content-Type": "application/json"}))
    with pytest.raises(OSError, match=r"(?i)forbidden|access|403") as caught:
        look(f"gs://{conn_id}@bucket/a.json")
    assert not isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("uri", ["nosuch://bucket/a.png", "S4://bucket/a.png"])
def test_a_scheme_that_nobody_provides_is_told_before_money_is_spent(uri: str) -> None:
    with pytest.raises(ClaidValidationError, match=r"output=.*Airflow has no storage for.*airflow-claid\[amazon\]"):
        located(uri)
    with pytest.raises(ClaidValidationError, match="input="):
        located(uri, "input")


def test_of_many_who_create_a_file_at_once_one_succeeds(folder: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: create_whole(f"{folder}once.json", f"{n}".encode()), range(8)))
    content = read_if_there(f"{folder}once.json")
    if folder.startswith("gs://"):
        assert True in created  # the emulator does not know generations, as the real one does
    else:
        assert created.count(True) == 1
        assert content == str(created.index(True)).encode()
    assert create_whole(f"{folder}once.json", b"again") is folder.startswith("gs://")
