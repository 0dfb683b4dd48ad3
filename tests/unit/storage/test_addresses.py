from __future__ import annotations

import pytest

from airflow_claid.storage.addresses import (
    host_of,
    is_connected,
    is_folder,
    is_glob,
    is_link,
    is_storage,
    last_of,
    local_path,
    path_of,
    relative_path_problem,
    scheme_of,
    without_connection,
)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("s3://aws@bucket/a/b.png", ("s3", "aws@bucket", "a/b.png")),
        ("storage://shop", ("storage", "shop", "")),
        ("file:///srv/a.png", ("file", "", "srv/a.png")),
        ("/srv/a.png", ("", "", "")),
        ("s3", ("", "", "")),
    ],
)
def test_an_address_has_a_scheme_a_host_and_a_path(address: str, parts: tuple[str, str, str]) -> None:
    assert (scheme_of(address), host_of(address), path_of(address)) == parts


@pytest.mark.parametrize(
    ("address", "link", "connected", "storage"),
    [
        ("https://shop.example/a.png", True, False, False),
        ("http://shop.example/a.png", True, False, False),
        ("storage://shop/a.png", False, True, True),
        ("s3://bucket/a.png", False, False, True),
        ("abfs://bucket/a.png", False, False, True),
        ("file:///srv/a.png", False, False, True),
        ("ftp://shop.example/a.png", False, False, False),
        ("claid://a.png", False, False, False),
        ("storage", False, False, False),
        ("a.png", False, False, False),
        ("", False, False, False),
    ],
)
def test_the_scheme_tells_who_reads_an_address(address: str, link: bool, connected: bool, storage: bool) -> None:
    assert (is_link(address), is_connected(address), is_storage(address)) == (link, connected, storage)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:///srv/a b#1.png", "/srv/a b#1.png"),
        ("local:///srv/out/", "/srv/out/"),
        ("s3://bucket/srv/a.png", None),
        ("storage://shop/a.png", None),
        ("/srv/a.png", None),
    ],
)
def test_a_file_of_this_machine_has_a_path(address: str, path: str | None) -> None:
    assert local_path(address) == path


def test_a_path_that_each_worker_would_take_for_another_is_told() -> None:
    assert "use 'file:///srv/a.png'" in (relative_path_problem("file://srv/a.png") or "")
    assert "use 'local:///a/'" in (relative_path_problem("local://a/") or "")
    for address in ("file:///srv/a.png", "s3://srv/a.png", "a.png"):
        assert relative_path_problem(address) is None


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("s3://aws@bucket/a@b.png", "s3://bucket/a@b.png"),
        ("s3a://bucket/a.png", "s3://bucket/a.png"),
        ("gcs://google@bucket", "gs://bucket"),
        ("local:///srv/a.png", "file:///srv/a.png"),
        ("abfs://azure@bucket/a.png", "abfs://bucket/a.png"),
        ("storage://shop/a.png", "storage://shop/a.png"),
        ("https://user:word@shop.example/a.png", "https://user:word@shop.example/a.png"),
        ("aws@bucket/a.png", "aws@bucket/a.png"),
        ("", ""),
    ],
)
def test_one_file_has_one_address_whoever_opens_it(address: str, plain: str) -> None:
    assert without_connection(address) == plain


@pytest.mark.parametrize(
    ("address", "last"),
    [
        ("https://shop.example/a/chair.png?signature=a/b#top", "chair.png"),
        ("s3://bucket/a/chair?1#2.png", "chair?1#2.png"),
        ("gs://bucket/folder/", "folder"),
        ("s3://bucket", ""),
    ],
)
def test_only_a_link_has_a_query(address: str, last: str) -> None:
    assert last_of(address) == last


@pytest.mark.parametrize(
    ("address", "folder", "glob"),
    [
        ("s3://bucket/photos/", True, False),
        ("file:///srv/photos/", True, False),
        ("storage://shop/photos/", True, False),
        ("s3://bucket/photos", False, False),
        ("s3://bucket/a.png", False, False),
        ("s3://bucket/*.png", False, True),
        ("storage://shop/**/a.png", False, True),
        ("storage://shop [eu]/a.png", False, False),
        ("file:///srv/[ab].png", False, True),
        ("gs://bucket/a?.png", False, True),
        ("https://shop.test/a.png?size=*", False, False),
        ("https://shop.test/photos/", False, False),
        ("/srv/*/", False, False),
    ],
)
def test_an_address_tells_whether_it_is_that_of_a_folder_or_a_glob(address: str, folder: bool, glob: bool) -> None:
    assert (is_folder(address), is_glob(address)) == (folder, glob)
