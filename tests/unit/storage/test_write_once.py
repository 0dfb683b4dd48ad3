"""Buckets that refuse to overwrite."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import (
    OverwriteRefusedError,
    create_whole,
    latest,
    next_name,
    read,
    write_beside,
    write_streamed,
    write_streamed_beside,
    write_whole,
)
from tests.conftest import GCS_BUCKET, Connect, s3_connection
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.write_once import WriteOnceGcs, WriteOnceProxy, write_once

LONG = [b"%099999d\n" % number for number in range(120)]
"""More than is sent at once."""


@pytest.fixture(params=["412", "403", "must create"])
def proxy(request: pytest.FixtureRequest, s3_endpoint: str) -> Iterator[WriteOnceProxy]:
    with write_once(s3_endpoint, request.param) as proxy:
        yield proxy


@pytest.fixture
def bucket(proxy: WriteOnceProxy, s3: str, connect: Connect) -> str:
    """A bucket reached by a connection of its own, for Airflow keeps file systems by name."""
    conn_id = connect(f"once_{proxy.port}", **s3_connection(proxy.url))
    return f"s3://{conn_id}@{s3.rpartition('@')[2]}"


@pytest.mark.parametrize(
    ("uri", "number", "name"),
    [
        ("s3://b/_claid/abc.json", 1, "s3://b/_claid/abc.json"),
        ("s3://b/_claid/abc.json", 2, "s3://b/_claid/abc.2.json"),
        ("s3://b/SKU-1.5_1.png", 12, "s3://b/SKU-1.5_1.12.png"),
    ],
)
def test_a_name_that_is_taken_is_followed_by_the_next(uri: str, number: int, name: str) -> None:
    assert next_name(uri, number) == name


def test_a_new_file_is_written_and_the_same_content_again_is_as_good_as_written(bucket: str) -> None:
    for _ in range(2):
        write_whole(f"{bucket}/a.png", b"picture")
        assert read(f"{bucket}/a.png") == b"picture"


def test_another_content_is_refused_and_nothing_is_changed(bucket: str) -> None:
    write_whole(f"{bucket}/a.png", b"picture")
    for other in (b"another", b"pict", b"picture and more", b""):
        with pytest.raises(OverwriteRefusedError, match=r"a\.png is there with another content"):
            write_whole(f"{bucket}/a.png", other)
    assert read(f"{bucket}/a.png") == b"picture"


def test_another_content_goes_under_the_next_name_and_stays_there(bucket: str) -> None:
    written = [write_beside(f"{bucket}/a.png", content) for content in (b"1", b"2", b"1", b"3", b"2")]
    assert [one.checksum for one in written] == [checksum_if_there(one.uri) for one in written]
    names = [one.uri for one in written]
    assert [name.rpartition("/")[2] for name in names] == ["a.png", "a.2.png", "a.png", "a.3.png", "a.2.png"]
    assert [read(name) for name in names] == [b"1", b"2", b"1", b"3", b"2"]


def test_a_file_is_created_once(bucket: str) -> None:
    assert create_whole(f"{bucket}/a.json", b"first")
    assert not create_whole(f"{bucket}/a.json", b"second")
    assert read(f"{bucket}/a.json") == b"first"


@pytest.mark.parametrize("lines", [[b"one\n", b"two\n"], LONG])
def test_a_long_file_is_written_line_by_line_once_and_another_goes_under_the_next_name(
    bucket: str, lines: list[bytes]
) -> None:
    address = f"{bucket}/manifest.jsonl"
    assert latest(address) == address
    for _ in range(2):
        assert write_streamed_beside(address, lambda: iter(lines)) == address
    other = [*lines[:-1], b"another\n"]
    assert write_streamed_beside(address, lambda: iter(other)) == f"{bucket}/manifest.2.jsonl"
    assert read(address) == b"".join(lines)
    assert read(latest(address)) == b"".join(other)
    assert len(list_files(f"{bucket}/")) == 2


def test_a_bucket_that_takes_nothing_says_its_own_error(connect: Connect, scripted: ScriptedServer) -> None:
    conn_id = connect(f"s3_{urlsplit(scripted.url).port}", **s3_connection(scripted.url))
    denied = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    scripted.replies(Reply(403, denied, {"Content-Type": "application/xml"}))
    with pytest.raises(PermissionError, match=r"Access Denied|may not list"):
        write_streamed(f"s3://{conn_id}@bucket/a.jsonl", lambda: iter([b"line\n"]))


def test_a_google_bucket_under_retention_is_written_under_the_next_name(
    gcs_endpoint: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = WriteOnceGcs(gcs_endpoint)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
    extra = {"is_anonymous": True, "project": "p", "gcs.endpoint": proxy.url}
    conn_id = connect(f"retained_{proxy.port}", conn_type="google_cloud_platform", extra=extra)
    folder = f"gs://{conn_id}@{GCS_BUCKET}/retained-{proxy.port}"
    try:
        names = [write_beside(f"{folder}/a.png", content).uri for content in (b"1", b"2", b"1")]
        assert [name.rpartition("/")[2] for name in names] == ["a.png", "a.2.png", "a.png"]
        assert [read(name) for name in names] == [b"1", b"2", b"1"]
        assert create_whole(f"{folder}/a.json", b"first")
        assert not create_whole(f"{folder}/a.json", b"second")
    finally:
        proxy.stop()
