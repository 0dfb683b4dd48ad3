"""Checksums of a bucket that are not of the content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import boto3
import pytest

from airflow_claid.orders.source import source
from airflow_claid.storage import checksums
from airflow_claid.storage.checksums import (
    checksum_if_there,
    content_version,
    is_of_content,
    is_unchanged,
    version_in_folder,
)
from airflow_claid.storage.found_files import FoundFiles
from airflow_claid.storage.object_storage import find, located, read_if_there, write_whole
from airflow_claid.storage.stored_files import StoredFile
from tests.support.s3 import S3_KEYS

PICTURE = os.urandom(6 << 20)
OTHER = os.urandom(6 << 20)
VERSION = f'"{hashlib.md5(PICTURE, usedforsecurity=False).hexdigest()}"'


class NoStorages:
    def covering(self, uri: str) -> None:
        return None


class Uploads:
    """Writes one key of a bucket in each way that there is."""

    def __init__(self, endpoint: str, uri: str) -> None:
        self._client: Any = boto3.client("s3", endpoint_url=endpoint, **S3_KEYS)
        self._where = {"Bucket": uri.partition("@")[2], "Key": "a.png"}
        self.uri = f"{uri}/a.png"

    def whole(self, content: bytes = PICTURE, **facts: str) -> None:
        self._client.put_object(**self._where, Body=content, **facts)

    def in_parts(self, content: bytes = PICTURE, size: int = 5 << 20) -> None:
        upload = {**self._where, "UploadId": self._client.create_multipart_upload(**self._where)["UploadId"]}
        parts = []
        for number, begin in enumerate(range(0, len(content), size), start=1):
            part = self._client.upload_part(**upload, PartNumber=number, Body=content[begin : begin + size])
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def there(uri: str) -> StoredFile:
    """Return the file of an address."""
    file = find(uri)
    assert file is not None
    return file


@pytest.fixture
def uploads(s3_endpoint: str, s3: str) -> Uploads:
    return Uploads(s3_endpoint, s3)


def test_the_same_picture_uploaded_in_parts_is_the_same_input(uploads: Uploads) -> None:
    uploads.whole()
    first = source(uploads.uri, NoStorages()).facts
    uploads.in_parts()
    assert "-" in str(there(uploads.uri).checksum)
    assert source(uploads.uri, NoStorages()).facts == first
    uploads.in_parts(size=(5 << 20) + 1)
    assert source(uploads.uri, NoStorages()).facts == first
    uploads.in_parts(OTHER)
    assert source(uploads.uri, NoStorages()).facts != first


@pytest.mark.parametrize("facts", [{"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms:dsse"}])
def test_the_tag_of_an_encrypted_file_is_not_of_its_content(uploads: Uploads, facts: dict[str, str]) -> None:
    uploads.whole(**facts)
    file = StoredFile(uploads.uri, len(PICTURE), "", '"0123456789abcdef0123456789abcdef"')
    assert not is_of_content(file)
    assert content_version(file) == VERSION


@pytest.mark.parametrize("facts", [{}, {"ServerSideEncryption": "AES256"}])
def test_the_tag_of_a_plain_file_is_and_its_bytes_are_not_read(
    uploads: Uploads, facts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.whole(**facts)
    monkeypatch.setattr(checksums, "read", lambda uri: pytest.fail("its bytes were read"))
    assert checksum_if_there(uploads.uri) == VERSION


@pytest.mark.parametrize("with_sha256", [True, False])
def test_a_delivered_picture_that_was_uploaded_another_way_is_unchanged(uploads: Uploads, with_sha256: bool) -> None:
    uploads.whole()
    facts = {
        "checksum": there(uploads.uri).checksum,
        "size": len(PICTURE),
        "sha256": hashlib.sha256(PICTURE).hexdigest() if with_sha256 else None,
    }
    uploads.in_parts()
    assert is_unchanged(uploads.uri, **facts)
    uploads.whole(OTHER)
    assert not is_unchanged(uploads.uri, **facts)
    uploads.in_parts(PICTURE[:-1])
    assert not is_unchanged(uploads.uri, **facts)


def test_nothing_is_read_where_the_tag_is_the_same_or_the_size_another(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.in_parts()
    file = there(uploads.uri)
    monkeypatch.setattr(checksums, "read_if_there", lambda uri: pytest.fail("its bytes were read"))
    assert is_unchanged(file.uri, checksum=file.checksum, size=file.size, sha256=None)
    assert not is_unchanged(file.uri, checksum='"other"', size=file.size + 1, sha256=None)
    assert not is_unchanged(f"{file.uri}.gone", checksum=file.checksum, size=file.size, sha256=None)


@pytest.mark.parametrize("folder", ["local", "gcs"])
def test_other_places_tell_a_content_from_another(request: pytest.FixtureRequest, tmp_path: Path, folder: str) -> None:
    uri = f"file://{tmp_path}/a.png" if folder == "local" else f"{request.getfixturevalue('gcs')}/a.png"
    write_whole(uri, b"picture")
    checksum = checksum_if_there(uri)
    for content, same in ((b"picture", True), (b"another", False), (b"more than it was", False)):
        write_whole(uri, content)
        assert is_unchanged(uri, checksum=checksum, size=7, sha256=None) is same
    sha256 = hashlib.sha256(read_if_there(uri) or b"").hexdigest()
    assert is_unchanged(uri, checksum="of another kind", size=None, sha256=sha256)


def test_among_many_only_a_file_that_was_uploaded_in_parts_is_read(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.whole()
    whole = there(uploads.uri)
    uploads.in_parts()
    parts = there(uploads.uri)
    assert version_in_folder(parts) == whole.checksum
    monkeypatch.setattr(checksums, "read", lambda uri: pytest.fail("its bytes were read"))
    assert version_in_folder(whole) == whole.checksum


@pytest.mark.parametrize("facts", [{}, {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms"}, None])
def test_a_listed_file_of_s3_has_the_version_of_the_single_input(
    uploads: Uploads, facts: dict[str, str] | None
) -> None:
    if facts is None:
        uploads.in_parts()
    else:
        uploads.whole(**facts)
    (file,) = FoundFiles(f"{uploads.uri.rpartition('/')[0]}/")
    assert content_version(file) == source(uploads.uri, NoStorages()).version == VERSION


@pytest.mark.parametrize("folder", ["local", "gcs"])
def test_a_listed_file_of_another_place_too(request: pytest.FixtureRequest, tmp_path: Path, folder: str) -> None:
    place = f"file://{tmp_path}/" if folder == "local" else f"{request.getfixturevalue('gcs')}/"
    write_whole(f"{place}a b%.png", b"a lamp")
    (file,) = FoundFiles(place)
    assert content_version(file) == source(file.uri, NoStorages()).version
    before = content_version(file)
    write_whole(file.uri, b"a lamp")
    (again,) = FoundFiles(place)
    assert content_version(again) == before
    write_whole(file.uri, b"a sofa")
    (other,) = FoundFiles(place)
    assert content_version(other) == source(file.uri, NoStorages()).version != before


@pytest.mark.parametrize(("place", "headers"), [("s3", 1), ("gcs", 0)])
def test_the_version_of_a_listed_file_takes_no_more_than_its_header(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, place: str, headers: int
) -> None:
    folder = f"{request.getfixturevalue(place)}/"
    write_whole(f"{folder}a.png", b"a lamp")
    (file,) = FoundFiles(folder)
    file_system = located(file.uri).fs
    requests = []
    monkeypatch.setattr(file_system, "call_s3", lambda method, **_: requests.append(method) or {}, raising=False)
    monkeypatch.setattr(checksums, "read", lambda uri: pytest.fail("its bytes were read"))
    monkeypatch.setattr(checksums, "find", lambda uri, parameter: pytest.fail("it was looked for"))
    assert content_version(file) == file.checksum
    assert requests == ["head_object"] * headers
