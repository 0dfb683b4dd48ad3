from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.batch.item_rows import ItemRow
from airflow_claid.batch.manifest_index import ManifestIndex
from airflow_claid.batch.versions import Versions
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage import checksums
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import write_whole
from tests.support.picture_batch import PictureBatch

PART = 5 << 20
"""The smallest part that S3 takes."""

Upload = Callable[[str, bytes], None]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The requests to S3, by operation, and those for lists also by folder."""
    from aiobotocore.client import AioBaseClient

    requests: Counter[str] = Counter()
    original = AioBaseClient._make_api_call

    async def counted(self: Any, operation: str, parameters: Any) -> Any:
        requests[operation] += 1
        if operation == "ListObjectsV2":
            requests[f"list {parameters['Prefix']}"] += 1
        return await original(self, operation, parameters)

    monkeypatch.setattr(AioBaseClient, "_make_api_call", counted)
    return requests


@pytest.fixture
def in_parts(s3_client: Any, s3: str) -> Upload:
    """Uploads a file in parts, which gives it an ETag that is no checksum of its content."""
    bucket = s3.partition("@")[2]

    def upload(uri: str, content: bytes) -> None:
        key = uri.removeprefix(f"{s3}/")
        begun = s3_client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(content), PART), start=1):
            body = content[start : start + PART]
            one = {"Bucket": bucket, "Key": key, "UploadId": begun, "PartNumber": number}
            parts.append({"PartNumber": number, "ETag": s3_client.upload_part(**one, Body=body)["ETag"]})
        s3_client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=begun, MultipartUpload={"Parts": parts})

    return upload


def batch_in(place: str) -> PictureBatch:
    return PictureBatch(f"{place}/in/", f"{place}/out/", versions=lambda index: Versions(index).of)


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_the_same_bytes_that_were_written_anew_are_not_paid_again_and_others_are(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = f"file://{tmp_path}" if kind == "local" else request.getfixturevalue("s3")
    for name in ("a", "b", "c"):
        write_whole(f"{place}/in/{name}.jpg", name.encode())
    batch = batch_in(place)
    batch.run()
    assert [line["version"] for line in batch.lines] == [
        checksum_if_there(f"{place}/in/{name}.jpg") for name in ("a", "b", "c")
    ]
    write_whole(f"{place}/in/a.jpg", b"a")
    write_whole(f"{place}/in/b.jpg", b"B")
    assert batch.run().credits == 1.0
    assert batch.paid[3:] == ["b.jpg"]
    assert [line["listed"] for line in batch.lines] == [
        file.checksum or file.state for file in list_files(f"{place}/in/")
    ]


def test_how_a_picture_was_uploaded_does_not_matter(s3: str, in_parts: Upload, asked: Counter[str]) -> None:
    large = b"a" * (PART + 7)
    write_whole(f"{s3}/in/whole.jpg", large)
    in_parts(f"{s3}/in/parts.jpg", large)
    batch = batch_in(s3)
    batch.run()
    first, second = (line["version"] for line in batch.lines)
    assert first == second
    in_parts(f"{s3}/in/whole.jpg", large)
    write_whole(f"{s3}/in/parts.jpg", large)
    assert batch.run().credits == 0.0
    asked.clear()
    assert batch.run().credits == 0.0
    assert asked["GetObject"] == 1  # the manifest, but no picture
    in_parts(f"{s3}/in/parts.jpg", large[:-1] + b"b")
    assert batch.run().credits == 1.0


def test_a_folder_in_which_nothing_changed_costs_two_listings_and_a_manifest(
    s3: str, s3_client: Any, asked: Counter[str]
) -> None:
    bucket = s3.partition("@")[2]
    for number in range(300):
        s3_client.put_object(Bucket=bucket, Key=f"in/{number:03}.jpg", Body=b"%d" % number)
    batch = batch_in(s3)
    batch.writes = True
    assert batch.run().credits == 300.0
    before = batch.lines
    asked.clear()
    counts = batch.run()
    assert (counts.credits, counts.reused) == (0.0, 300)
    assert batch.lines == before
    assert (asked["list in/"], asked["list out/"], asked["GetObject"]) == (1, 1, 1)
    assert sum(number for method, number in asked.items() if " " not in method) < 20, asked


def test_a_picture_is_known_whichever_connection_reads_it(s3: str, connect: Callable[..., str], asked: Any) -> None:
    write_whole(f"{s3}/in/a.jpg", b"a")
    batch = batch_in(s3)
    batch.run()
    index = ManifestIndex(f"{s3}/none/", f"{s3}/out/manifest.jsonl")
    (file,) = list_files(f"{s3}/in/")
    asked.clear()
    other = file.__class__(file.uri.replace("moto@", "other@"), file.size, file.state, file.checksum)
    assert Versions(index).of(ItemRow(1, {}, file=other)) == batch.lines[0]["version"]
    assert not asked
    index.close()


@pytest.fixture
def index(tmp_path: Path) -> Any:
    index = ManifestIndex(f"file://{tmp_path}/none/")
    yield index
    index.close()


def test_versions_of_a_manifest_are_confirmed_by_one_listing_of_the_folder(
    s3: str, index: ManifestIndex, asked: Counter[str]
) -> None:
    for number in range(5):
        write_whole(f"{s3}/out/{number}.png", b"%d" % number)
    told = {number: str(checksum_if_there(f"{s3}/out/{number}.png")) for number in range(5)}
    write_whole(f"{s3}/out/3.png", b"replaced")
    rows = [ItemRow(number, {"input": f"{s3}/out/{number}.png"}, version=told[number]) for number in range(5)]
    rows.append(ItemRow(6, {"input": f"{s3}/out/6.png"}, version=told[0]))
    asked.clear()
    versions = Versions(index)
    assert [versions.of(row) for row in rows] == [told[0], told[1], told[2], None, told[4], None]
    assert {method: number for method, number in asked.items() if " " not in method} == {"ListObjectsV2": 1}


@pytest.mark.parametrize("address", ["https://x.example/a.png", "storage://shop/a.png", None, 7])
def test_what_only_claid_reads_has_no_version_that_could_be_confirmed(address: object, index: ManifestIndex) -> None:
    assert Versions(index).of(ItemRow(1, {"input": address}, version="v")) is None


def test_a_row_of_a_list_has_no_version(index: ManifestIndex, tmp_path: Path) -> None:
    assert Versions(index).of(ItemRow(1, {"input": f"file://{tmp_path}/a.png"})) is None


def test_the_column_of_the_picture_may_have_another_name(s3: str, index: ManifestIndex) -> None:
    write_whole(f"{s3}/out/a.png", b"a")
    told = checksum_if_there(f"{s3}/out/a.png")
    row = ItemRow(1, {"clothing": f"{s3}/out/a.png"}, version=told)
    assert (Versions(index, "clothing").of(row), Versions(index).of(row)) == (told, None)


def test_a_picture_that_was_removed_since_it_was_listed_has_no_version(index: ManifestIndex, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    (file,) = list_files(f"file://{tmp_path}/")
    (tmp_path / "a.jpg").unlink()
    assert Versions(index).of(ItemRow(1, {}, file=file)) is None


def test_a_picture_that_may_not_be_read_is_its_rows_problem_and_an_outage_is_not(
    index: ManifestIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    (file,) = list_files(f"file://{tmp_path}/")
    error: OSError = PermissionError(13, "Permission denied")

    def refuse(uri: str) -> bytes:
        raise error

    monkeypatch.setattr(checksums, "read", refuse)
    with pytest.raises(ClaidValidationError, match="may not be read"):
        Versions(index).of(ItemRow(1, {}, file=file))
    error = TimeoutError("slow")
    with pytest.raises(TimeoutError):
        Versions(index).of(ItemRow(1, {}, file=file))
