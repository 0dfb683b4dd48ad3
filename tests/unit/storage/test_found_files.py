from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.client import ClaidValidationError
from airflow_claid.storage import found_files
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.found_files import FoundFiles
from airflow_claid.storage.listing import list_files, stream_files
from airflow_claid.storage.object_storage import find, remove, write_whole


@pytest.fixture(params=["local", "s3", "gcs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    root = f"file://{tmp_path}" if request.param == "local" else request.getfixturevalue(request.param)
    return f"{root}/spring/"


@pytest.fixture
def local(tmp_path: Path) -> str:
    return f"file://{tmp_path}/"


def fill(folder: str, *names: str) -> None:
    for name in names:
        write_whole(folder + name, name.encode())


def names(files: FoundFiles, folder: str) -> list[str]:
    return [file.uri.removeprefix(folder) for file in files]


def test_the_files_of_a_folder_come_by_their_addresses_with_all_that_is_known_of_them(folder: str) -> None:
    fill(folder, "b.jpg", "deep/a b%20+.jpg", "été.jpg", "B.PNG")
    fill(folder.rstrip("/"), "time.jpg")
    files = FoundFiles(folder)
    expected = list_files(folder, recursive=True)
    assert list(files) == expected == [find(file.uri) for file in expected]
    assert [file.modified for file in files] == [file.modified for file in expected]
    assert names(files, folder) == ["B.PNG", "b.jpg", "deep/a b%20+.jpg", "été.jpg"]
    assert len(files) == files.listed == 4
    assert names(FoundFiles(folder, recursive=False), folder) == ["B.PNG", "b.jpg", "été.jpg"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.jpg", ["front-1.jpg", "front-a.jpg"]),
        ("**/front-[0-9].jpg", ["deep/er/front-3.jpg", "deep/front-2.jpg", "front-1.jpg"]),
        ("deep/*", ["deep/front-2.jpg"]),
        ("front-*", ["front-1.jpg", "front-a.jpg"]),
        ("*/front-?.jpg", ["deep/front-2.jpg"]),
        ("de**", ["deep/er/front-3.jpg", "deep/front-2.jpg"]),
    ],
)
def test_the_files_of_a_glob_are_those_that_match(folder: str, glob: str, expected: list[str]) -> None:
    fill(folder, "front-1.jpg", "front-a.jpg", "x.png", "deep/front-2.jpg", "deep/er/front-3.jpg")
    assert names(FoundFiles(folder + glob), folder) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/", ["sofa/a.jpg", "spring/a.jpg"]),
        ("/**", ["sofa/a.jpg", "spring/a.jpg"]),
        ("/*/*.jpg", ["sofa/a.jpg", "spring/a.jpg"]),
        ("/*a/*", ["sofa/a.jpg"]),
    ],
)
def test_a_whole_bucket_can_be_looked_through(s3: str, address: str, expected: list[str]) -> None:
    fill(f"{s3}/", "sofa/a.jpg", "spring/a.jpg", "spring/deep/.b.jpg", "_claid/c.json")
    assert names(FoundFiles(s3 + address), f"{s3}/") == expected


def test_a_literal_name_with_wildcards_is_found_in_brackets(folder: str) -> None:
    fill(folder, "[a]*?.jpg", "a.jpg")
    assert names(FoundFiles(f"{folder}[[]a][*][?].jpg"), folder) == ["[a]*?.jpg"]


def test_it_is_listed_once_however_often_and_by_whomever_it_is_asked(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, "a.jpg", "b.jpg", "c.jpg")
    listings = []

    def counted(*args: Any, **options: Any) -> Any:
        listings.append(args)
        return stream_files(*args, **options)

    monkeypatch.setattr(found_files, "stream_files", counted)
    monkeypatch.setattr(found_files, "_ROWS_AT_ONCE", 2)
    files = FoundFiles(folder)
    assert listings == []
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: names(files, folder), range(8)))
    assert seen == [["a.jpg", "b.jpg", "c.jpg"]] * 8
    fill(folder, "d.jpg")
    assert names(files, folder) == seen[0]
    assert files.has(f"{folder}a.jpg")
    assert len(listings) == 1


def test_two_iterations_do_not_disturb_each_other(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_files, "_ROWS_AT_ONCE", 2)
    fill(local, *"abcde")
    files = FoundFiles(local)
    assert [(one.uri, other.uri) for one, other in zip(files, files, strict=True)] == [
        (f"{local}{name}", f"{local}{name}") for name in "abcde"
    ]


def test_a_listing_that_failed_is_tried_anew(folder: str) -> None:
    files = FoundFiles(folder)
    with pytest.raises(ClaidValidationError):
        len(files)
    fill(folder, "a.jpg")
    assert len(files) == 1


def test_its_temporary_file_is_gone_with_it(local: str) -> None:
    fill(local, "a.jpg")

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    files = FoundFiles(local)
    assert len(files) == 1
    assert open_files() == before + 1
    files.close()
    assert open_files() == before
    FoundFiles(local).close()


def test_suffixes_tell_pictures_from_other_files_in_upper_and_lower_case(folder: str) -> None:
    fill(folder, "a.jpg", "B.JPG", "c.jpeg", "d.txt", "jpg")
    files = FoundFiles(folder, suffixes=(".jpg", ".JPEG"))
    assert names(files, folder) == ["B.JPG", "a.jpg", "c.jpeg"]
    assert (len(files), files.listed) == (3, 5)


def test_receipts_and_hidden_files_are_no_input(folder: str) -> None:
    fill(folder, "a.jpg", ".b.jpg", ".thumbs/c.jpg", "_claid/d.json", "x/_claid/batches/e.jsonl", "x/_claid.jpg")
    files = FoundFiles(folder)
    assert names(files, folder) == ["a.jpg", "x/_claid.jpg"]
    assert files.listed == 2


def test_a_folder_that_is_written_to_is_no_input(folder: str) -> None:
    fill(folder, "a.jpg", "out/b.jpg", "out/deep/c.jpg", "outside.jpg")
    for without in (
        f"{folder}out/",
        f"{folder}out",
        without_connection(f"{folder}out/"),
    ):
        assert names(FoundFiles(folder, without=["s3://else/", without]), folder) == ["a.jpg", "outside.jpg"]
        assert names(FoundFiles(f"{folder}o**", without=[without]), folder) == ["outside.jpg"]


def test_only_files_that_were_written_since_a_moment_are_taken(local: str, tmp_path: Path) -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=timezone.utc)
    fill(local, "old.jpg", "same.jpg", "new.jpg")
    for name, seconds in (("old.jpg", -1), ("same.jpg", 0), ("new.jpg", 1)):
        time = moment.timestamp() + seconds
        os.utime(tmp_path / name, (time, time))
    files = FoundFiles(local, modified_since=moment)
    assert names(files, local) == ["new.jpg", "same.jpg"]
    assert names(FoundFiles(local, modified_since=moment + timedelta(microseconds=5)), local) == ["new.jpg", "same.jpg"]
    berlin = timezone(timedelta(hours=2))
    assert names(FoundFiles(local, modified_since=moment.astimezone(berlin)), local) == ["new.jpg", "same.jpg"]
    assert [file.modified for file in files] == [moment + timedelta(seconds=1), moment]


def test_that_nothing_is_new_is_no_error(folder: str) -> None:
    fill(folder, "a.jpg")
    files = FoundFiles(folder, modified_since=datetime.now(timezone.utc) + timedelta(days=1))
    assert (len(files), files.listed, list(files)) == (0, 1, [])


def test_a_file_that_was_filtered_is_told_from_one_that_is_gone(folder: str) -> None:
    fill(folder, "a.jpg", "b.txt", "gone.jpg")
    remove(f"{folder}gone.jpg")
    files = FoundFiles(folder, suffixes=(".jpg",))
    assert files.has(f"{folder}a.jpg")
    assert files.has(without_connection(f"{folder}b.txt"))
    assert not files.has(f"{folder}gone.jpg")
    assert not files.has("s3://elsewhere/a.jpg")


def test_a_name_that_is_no_text_is_found(local: str, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"a lamp")
    (file,) = FoundFiles(local)
    assert find(file.uri) == file


@pytest.mark.parametrize(
    ("name", "address", "parts"),
    [
        ("", "", ("is missing or empty", "'/' at its end")),
        ("", "*.jpg", ("nothing is below", "is missing or empty")),
        ("a.png", "*.jpg", ("none of the 1 files below", "a.png'", "'[*]'")),
        ("deep/a.jpg", "*.jpg", ("none of the 1 files below", "deep/a.jpg'", "'**'")),
        ("a.png", "b-*.png", ("none of the 1 files below", "a.png'")),
        ("_claid/a.json", "", ("left out (1)", "receipts")),
        (".a.jpg", "*.jpg", ("left out (1)", "hidden")),
        ("_claid/a.json", "_claid/", ("left out (1)", "receipts")),
    ],
)
def test_no_files_are_an_error_that_says_what_there_is(
    folder: str, name: str, address: str, parts: tuple[str, ...]
) -> None:
    if name:
        fill(folder, name)
    with pytest.raises(ClaidValidationError) as caught:
        len(FoundFiles(folder + address, parameter="photos"))
    for part in (f"photos={folder + address!r}", *parts):
        assert part in str(caught.value)


def test_files_in_the_folders_within_are_told_of_where_they_do_not_count(folder: str) -> None:
    fill(folder, "deep/a.jpg", "deep/b.jpg")
    with pytest.raises(
        ClaidValidationError, match=r"no files but 2 in the folders within, such as .*deep/a\.jpg': use recursive=True"
    ):
        len(FoundFiles(folder, recursive=False))


def test_an_output_that_holds_the_input_leaves_nothing(folder: str) -> None:
    fill(folder, "a.jpg")
    with pytest.raises(ClaidValidationError, match=r"left out \(1\): .* and what is in '.*/'"):
        len(FoundFiles(folder, without=[folder]))


def test_many_files_beside_a_glob_are_not_all_counted(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_files, "_COUNTED_AT_MOST", 2)
    fill(local, "a.png", "b.png", "c.png")
    with pytest.raises(ClaidValidationError, match="none of the 2 or more files"):
        len(FoundFiles(f"{local}*.jpg"))


def test_files_of_other_suffixes_alone_are_an_error_that_names_these(folder: str) -> None:
    fill(folder, "a.HEIC", "b.heic", "c.txt", "README")
    with pytest.raises(ClaidValidationError) as caught:
        len(FoundFiles(folder, suffixes=(".jpg",), parameter="photos"))
    for part in ("suffixes=('.jpg',)", f"photos={folder!r}", "4 files", ".heic (2)", ".txt (1)", "no suffix (1)"):
        assert part in str(caught.value)


def test_a_quoted_local_address_is_told_from_a_missing_folder(local: str) -> None:
    with pytest.raises(ClaidValidationError, match=r"is quoted as a link is.*use '.*/my photos/'"):
        len(FoundFiles(f"{local}my%20photos/"))


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"modified_since": datetime(2026, 7, 1)}, "modified_since=.* must be a datetime with a timezone"),
        ({"modified_since": "2026-07-01"}, "modified_since='2026-07-01' must be a datetime"),
        ({"suffixes": ".jpg"}, r"suffixes='\.jpg' must be texts .* such as \('\.jpg', '\.png'\)"),
        ({"suffixes": (1,)}, "suffixes="),
        ({"suffixes": ("",)}, "suffixes="),
        ({"suffixes": ()}, "suffixes="),
    ],
)
def test_filters_that_make_no_sense_are_refused_before_anything_is_listed(
    local: str, options: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ClaidValidationError, match=remedy):
        FoundFiles(local, **options)


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> object:
        raise PermissionError(path)

    fill(local, "a.jpg")
    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PermissionError):
        len(FoundFiles(local))
