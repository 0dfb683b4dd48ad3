from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.values import stands_for_nothing
from airflow_claid.storage.places import (
    TEMPORARY,
    Place,
    PlaceKind,
    checked_name,
    cleaned_name,
    edit_place,
    generation_place,
    stem_of,
)

BOTH = pytest.mark.parametrize("read", [generation_place, edit_place])


@BOTH
@pytest.mark.parametrize("output", [None, "", "  \n"])
def test_without_an_output_the_place_is_temporary(read: object, output: str | None) -> None:
    assert read(output) is TEMPORARY  # type: ignore[operator]


@BOTH
@pytest.mark.parametrize(
    ("output", "kind", "folder"),
    [
        ("storage://shop/", PlaceKind.CONNECTED, "storage://shop/"),
        (" storage://shop/spring/2026/ ", PlaceKind.CONNECTED, "storage://shop/spring/2026/"),
        ("storage://shop/my folder/", PlaceKind.CONNECTED, "storage://shop/my folder/"),
        ("s3://bucket", PlaceKind.OBJECT_STORAGE, "s3://bucket/"),
        ("s3://bucket/", PlaceKind.OBJECT_STORAGE, "s3://bucket/"),
        ("s3://aws_default@bucket/spring", PlaceKind.OBJECT_STORAGE, "s3://aws_default@bucket/spring/"),
        ("s3://aws_default@bucket/spring/", PlaceKind.OBJECT_STORAGE, "s3://aws_default@bucket/spring/"),
        ("gs://bucket/v1.2/", PlaceKind.OBJECT_STORAGE, "gs://bucket/v1.2/"),
        ("gs://bucket/v1.2", PlaceKind.OBJECT_STORAGE, "gs://bucket/v1.2/"),
        ("file:///srv/pictures", PlaceKind.OBJECT_STORAGE, "file:///srv/pictures/"),
        ("file:///srv/50% off/", PlaceKind.OBJECT_STORAGE, "file:///srv/50% off/"),
        ("s3://bucket/my%20folder/", PlaceKind.OBJECT_STORAGE, "s3://bucket/my%20folder/"),
    ],
)
def test_a_folder_always_ends_with_a_slash(read: object, output: str, kind: PlaceKind, folder: str) -> None:
    place = read(output)  # type: ignore[operator]
    assert place == Place(kind, folder, None)
    assert place.receipts == f"{folder}_claid/"


@pytest.mark.parametrize(
    ("output", "temporary", "claid", "airflow"),
    [
        (None, True, False, False),
        ("storage://shop/", False, True, False),
        ("s3://bucket/", False, False, True),
        ("abfs://bucket/", False, False, True),
        ("file:///srv/", False, False, True),
    ],
)
def test_a_place_tells_who_writes_there(output: str | None, temporary: bool, claid: bool, airflow: bool) -> None:
    place = edit_place(output)
    assert (place.is_temporary, place.is_written_by_claid, place.is_written_by_airflow) == (temporary, claid, airflow)


@pytest.mark.parametrize(
    ("folder", "uri"),
    [
        ("s3://aws@bucket/in/", "s3://aws@bucket/in/deep/50% red#1.png"),
        ("file:///srv/in/", "file:///srv/in/deep/50% red#1.png"),
        ("storage://shop/my folder/", "storage://shop/my folder/deep/50%25%20red%231.png"),
    ],
)
def test_a_file_has_an_address_by_its_path_in_the_folder_and_back(folder: str, uri: str) -> None:
    place = edit_place(folder)
    assert place.uri_of("deep/50% red#1.png") == uri
    assert place.path_in(uri) == "deep/50% red#1.png"


def test_the_path_in_a_folder_is_the_same_by_any_connection() -> None:
    assert edit_place("s3://aws@bucket/in/").path_in("s3a://another@bucket/in/a.png") == "a.png"


def test_a_connected_storage_knows_its_name() -> None:
    assert generation_place("storage://shop/spring/").storage_name == "shop"


@BOTH
@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        (
            "storage://shop/spring",
            "must end with '/', because Claid takes a folder only so: use 'storage://shop/spring/'",
        ),
        ("storage://shop", "use 'storage://shop/'"),
        ("storage://[", "must end with '/'"),
        ("storage:///spring/", "names no connected storage: use 'storage://NAME/PATH/'"),
        ("storage://aws@shop/spring/", "names no connected storage"),
        ("storage://", "names no bucket or folder"),
        ("s3://", "names no bucket or folder: use 's3://…/…/'"),
        ("file:///", "names no bucket or folder"),
        ("/srv/pictures", "has no scheme: for a local folder use 'file:///srv/pictures/'"),
        ("/srv/pictures/", "use 'file:///srv/pictures/'"),
        ("https://shop.example/pictures/", "'https' is no storage; use s3://…, gs://…, file:///… or storage://NAME/…/"),
        ("ftp://shop.example/pictures/", "'ftp' is no storage"),
        ("s3://bucket/spring/../../other/", "must not climb with '..'"),
        ("storage://shop/../", "must not climb with '..'"),
        ("s3://bucket//spring/", "has an empty part ('//'), perhaps of a template: what is written there is never"),
        ("s3://bucket//spring/", "use 's3://bucket/spring/'"),
        ("s3://aws@bucket/a///b//", "use 's3://aws@bucket/a/b/'"),
        ("gs://bucket/spring//chairs", "use 'gs://bucket/spring/chairs'"),
        ("storage://shop//spring/", "use 'storage://shop/spring/'"),
        ("storage://shop/spring//", "use 'storage://shop/spring/'"),
        ("file:////srv/pictures/", "use 'file:///srv/pictures/'"),
        ("file:///srv//pictures/", "use 'file:///srv/pictures/'"),
        ("file:///srv/my%20pictures/", "is quoted as a link is"),
        ("file:///srv/my%20pictures/", "use 'file:///srv/my pictures/'"),
        ("file:///srv/%C3%A9t%c3%a9/", "use 'file:///srv/été/'"),
    ],
)
def test_a_wrong_output_is_told_with_its_value_and_remedy(read: object, output: str, remedy: str) -> None:
    with pytest.raises(ClaidValidationError) as caught:
        read(output)  # type: ignore[operator]
    for part in (f"output={output!r}", remedy, "Nothing was sent, nothing was charged"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("output", "folder", "file"),
    [
        ("storage://shop/spring/chair.png", "storage://shop/spring/", "chair.png"),
        ("storage://shop/chair.JPG", "storage://shop/", "chair.JPG"),
        ("s3://aws@bucket/a/b.webp", "s3://aws@bucket/a/", "b.webp"),
        ("file:///srv/a.tiff", "file:///srv/", "a.tiff"),
    ],
)
def test_an_edit_may_name_one_file_and_a_generation_may_not(output: str, folder: str, file: str) -> None:
    place = edit_place(output)
    assert (place.folder, place.file) == (folder, file)
    with pytest.raises(ClaidValidationError, match="names a file, but a generation writes files of its own") as caught:
        generation_place(output)
    assert f"use {folder!r}" in str(caught.value)


@settings(max_examples=400)
@given(
    st.text(max_size=40) | st.builds("{}://{}".format, st.sampled_from(["s3", "storage", "file"]), st.text(max_size=30))
)
def test_whatever_is_taken_has_a_folder_that_ends_with_a_slash_and_does_not_climb(output: str) -> None:
    try:
        place = edit_place(output)
    except ClaidValidationError:
        return
    if place is TEMPORARY:
        assert not output.strip()
        return
    assert place.folder.endswith("/")
    assert ".." not in place.folder.split("/")
    assert place.file is None or "/" not in place.file
    assert edit_place(place.folder) == Place(place.kind, place.folder)


@pytest.mark.parametrize("name", ["SKU-1", "Stuhl, rot (2)", "été", "椅" * 66, "x" * 150])
def test_a_name_that_every_storage_takes_is_kept(name: str) -> None:
    assert checked_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", ".hidden", "a\\b", "a:b", "what?", "50%", "a#1", "nul\0", "x" * 151, "椅" * 67, "../../x.png"],
)
def test_a_name_that_cannot_be_a_files_is_refused_with_one_that_can(name: str) -> None:
    with pytest.raises(ClaidValidationError) as caught:
        checked_name(name)
    assert f"name={name!r}" in str(caught.value)
    assert f"for example {cleaned_name(name)!r}" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["", "  ", "None", "nan", "NULL", "<NA>", "undefined", "\u200b\u2060", "\ufeff", True, 7.5, b"\xe9", ["SKU-1"]],
)
def test_an_empty_name_is_refused(name: object) -> None:
    with pytest.raises(ClaidValidationError, match="must be a text such as 'SKU-1'"):
        checked_name(name)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1001, "1001"),
        (1001.0, "1001"),
        (Decimal("1001"), "1001"),
        (b"SKU-1", "SKU-1"),
        (date(2026, 3, 1), "2026-03-01"),
    ],
)
def test_a_warehouses_value_is_a_name(value: object, name: str) -> None:
    assert checked_name(value) == name


def test_a_name_that_utf_8_cannot_hold_is_refused() -> None:
    with pytest.raises(ClaidValidationError, match="cannot name a file"):
        checked_name("SKU-\ud83d")


@pytest.mark.parametrize("output", ["file:///srv/{}.png", "s3://bucket/{}.png", "storage://shop/{}.png"])
def test_a_file_name_that_no_file_system_holds_is_refused(output: str) -> None:
    assert edit_place(output.format("x" * 226)).file
    with pytest.raises(ClaidValidationError, match="has a file name of 231 bytes: use up to 230"):
        edit_place(output.format("x" * 227))
    with pytest.raises(ClaidValidationError, match="has a file name of 304 bytes"):
        edit_place(output.format("椅" * 100))


def test_a_folder_that_no_file_system_holds_is_refused() -> None:
    assert edit_place(f"file:///srv/{'x' * 255}/")
    with pytest.raises(ClaidValidationError, match="has a folder of 256 bytes: file systems take 255"):
        edit_place(f"file:///srv/{'x' * 256}/")


@given(st.text(max_size=400).filter(lambda text: not stands_for_nothing(text)))
def test_what_has_been_cleaned_is_a_name_that_fits_any_file_system(text: str) -> None:
    name = cleaned_name(text)
    assume(not stands_for_nothing(name))
    assert checked_name(name) == name.strip()
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert len(f".{name}_4.jpeg.12345678.partial".encode()) <= 255


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("https://shop.example/a/chair.png?signature=1#top", "chair"),
        ("https://shop.example/", "image"),
        ("https://shop.example", "image"),
        ("https://[shop/chair.png", "chair"),
        ("https://shop.example/..%2f..%2fetc%2fpasswd.png", "etc_passwd"),
        ("https://shop.example/../../x.png", "x"),
        ("s3://aws@bucket/a/chair.v2.jpeg", "chair.v2"),
        ("s3://bucket/no-suffix", "no-suffix"),
        ("s3://bucket/chair#1.png", "chair_1"),
        ("s3://bucket/chair?2.png", "chair_2"),
        ("storage://shop/red chair.png", "red chair"),
        ("file:///srv/.hidden", "hidden"),
        ("file:///srv/archive.tar.gz", "archive.tar"),
        ("gs://bucket/folder/", "folder"),
    ],
)
def test_the_stem_of_an_address_is_its_file_name_cleaned_and_without_suffix(path: str, stem: str) -> None:
    assert stem_of(path) == stem


def test_two_objects_that_differ_only_after_a_hash_have_different_stems() -> None:
    assert stem_of("s3://bucket/chair#1.png") != stem_of("s3://bucket/chair#2.png")


def test_a_storage_is_the_same_whether_its_name_is_encoded_or_not() -> None:
    place = edit_place("storage://Shop%20EU/spring%20sale/a.png")
    assert place == edit_place("storage://Shop EU/spring%20sale/a.png")
    assert (place.storage_name, place.folder) == ("Shop EU", "storage://Shop EU/spring%20sale/")


@pytest.mark.parametrize("output", ["storage://Shop%2FEU/", "storage://me%40shop/a/", "storage://%20/a/"])
def test_an_encoded_name_that_no_storage_can_have_is_refused(output: str) -> None:
    with pytest.raises(ClaidValidationError, match="names no connected storage"):
        edit_place(output)
