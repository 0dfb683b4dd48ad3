"""Batches where the place, or what lies in it, is not as usual."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import read
from tests.conftest import Connect, s3_connection
from tests.support.write_once import write_once
from tests.unit.operators.conftest import NewTry

LAMPS = ["Lamp number 1", "Lamp number 2", "Lamp number 3"]


def batch(**parameters: object) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(**{"task_id": "pictures", "prompts": LAMPS, **parameters})


@pytest.mark.parametrize(
    "spoiled",
    [
        {"checksums": None},
        {"paths": None},
        {"bytes": None},
        {"checksums": "abc"},
        {"paths": [7]},
        {"checksums": [["abc"]]},
        {"bytes": [None], "checksums": [None]},
        {"paths": []},
    ],
)
def test_a_spoiled_row_of_a_manifest_is_looked_up_in_its_receipt_and_stops_nobody(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, spoiled: dict[str, Any]
) -> None:
    summary = new_try()(batch(output=f"file://{tmp_path}/"))
    manifest = Path(summary["manifest"].removeprefix("file://"))
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows[1] |= spoiled
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = new_try(run_id="tuesday")(batch(output=f"file://{tmp_path}/"))
    assert (again["done"], again["reused"], again["credits"]) == (3, 3, 0)
    assert sandbox.charged() == 3


@pytest.fixture(params=["412", "403", "must create"])
def write_once_bucket(request: pytest.FixtureRequest, s3_endpoint: str, s3: str, connect: Connect) -> Iterator[str]:
    """A bucket that refuses to overwrite and to remove; its connection has a name of its own."""
    with write_once(s3_endpoint, request.param) as proxy:
        conn_id = connect(f"once_{proxy.port}", **s3_connection(proxy.url))
        yield f"s3://{conn_id}@{s3.rpartition('@')[2]}"


def rows_of(address: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read(address).splitlines()]


def test_a_batch_in_a_bucket_that_refuses_overwriting_is_paid_once_and_has_its_manifest(
    sandbox: Sandbox, new_try: NewTry, write_once_bucket: str
) -> None:
    def run(run_id: str, prompts: list[str], **parameters: object) -> dict[str, Any]:
        summary: dict[str, Any] = new_try(run_id=run_id)(
            batch(
                prompts=prompts,
                output=f"{write_once_bucket}/out/",
                manifest=f"{write_once_bucket}/m.jsonl",
                **parameters,
            )
        )
        return summary

    first = run("monday", LAMPS)
    assert (first["done"], first["credits"], first["manifest"]) == (3, 3, f"{write_once_bucket}/m.jsonl")
    again = run("tuesday", LAMPS)
    assert (again["done"], again["reused"], again["credits"]) == (3, 3, 0)
    assert again["manifest"] == first["manifest"]
    more = run("wednesday", [*LAMPS, "A chair"])
    assert (more["done"], more["reused"], more["credits"]) == (4, 3, 1)
    assert more["manifest"] == f"{write_once_bucket}/m.2.jsonl"
    assert [row["status"] for row in rows_of(more["manifest"])] == ["done"] * 4
    assert len(rows_of(first["manifest"])) == 3
    anew = run("thursday", LAMPS, regenerate=True)
    assert (anew["done"], anew["credits"]) == (3, 3)
    assert len(rows_of(anew["manifest"])) == 3
    assert all(read(path) for row in rows_of(anew["manifest"]) for path in row["paths"])
    assert sandbox.charged() == 7


def test_receipts_alone_save_a_batch_whose_manifest_is_gone(
    sandbox: Sandbox, new_try: NewTry, write_once_bucket: str
) -> None:
    first = new_try()(batch(output=f"{write_once_bucket}/out/", manifest=f"{write_once_bucket}/1.jsonl"))
    other = batch(
        prompts=[*LAMPS, "A chair"], output=f"{write_once_bucket}/out/", manifest=f"{write_once_bucket}/2.jsonl"
    )
    again = new_try(run_id="tuesday")(other)
    assert (again["done"], again["reused"], again["credits"]) == (4, 3, 1)
    assert sandbox.charged() == 4
    assert [row["paths"] for row in rows_of(again["manifest"])][:3] == [
        row["paths"] for row in rows_of(first["manifest"])
    ]


@pytest.mark.parametrize("manifest", ["s3://moto@nobodys-bucket/m.jsonl", "file:///proc/nowhere/m.jsonl"])
def test_a_manifest_that_cannot_be_written_is_told_before_anything_is_paid(
    sandbox: Sandbox, new_try: NewTry, s3: str, manifest: str
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        new_try()(batch(output=f"{s3}/out/", manifest=manifest))
    assert f"manifest={manifest!r} cannot be written" in str(caught.value)
    assert sandbox.charged() == 0


@pytest.mark.parametrize("folder", ["local", "s3"])
def test_a_manifest_elsewhere_is_tried_without_leaving_anything(
    request: pytest.FixtureRequest, sandbox: Sandbox, new_try: NewTry, tmp_path: Path, folder: str
) -> None:
    there = f"file://{tmp_path}/new" if folder == "local" else request.getfixturevalue("s3")
    new_try()(batch(output=f"file://{tmp_path}/out/", manifest=f"{there}/m.jsonl"))
    assert [file.uri for file in list_files(f"{there}/")] == [f"{there}/m.jsonl"]


@pytest.mark.parametrize("manifest", ["s3://bucket//m.jsonl", "file:///srv/my%20folder/m.jsonl"])
def test_a_manifest_whose_address_is_no_good_is_refused_with_a_better_one(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, manifest: str
) -> None:
    with pytest.raises(AirflowFailException, match=r"manifest=.* use '(s3://bucket/|file:///srv/my folder/)m.jsonl'"):
        new_try()(batch(output=f"file://{tmp_path}/out/", manifest=manifest))
    assert sandbox.charged() == 0


def test_a_place_that_takes_no_file_stops_a_batch_before_anything_is_paid(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("airflow_claid.fulfilment.receipt_stores.create_whole", refuse)
    with pytest.raises(AirflowFailException, match=r"takes no receipt .* nothing was charged"):
        new_try()(batch(output=f"file://{tmp_path}/out/"))
    assert sandbox.charged() == 0


def test_pictures_that_are_copied_another_way_are_reused_and_only_they_are_read(
    sandbox: Sandbox, new_try: NewTry, s3: str, s3_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rows_of(new_try()(batch(output=f"{s3}/out/"))["manifest"])
    bucket, _, key = first[1]["paths"][0].partition("@")[2].partition("/")
    where = {"Bucket": bucket, "Key": key}
    upload = {**where, "UploadId": s3_client.create_multipart_upload(**where)["UploadId"]}
    part = s3_client.upload_part(**upload, PartNumber=1, Body=read(first[1]["paths"][0]))
    s3_client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    compared: list[str] = []

    def counted(uri: str) -> bytes:
        compared.append(uri)
        return read(uri)

    monkeypatch.setattr("airflow_claid.storage.checksums.read_if_there", counted)
    again = new_try(run_id="tuesday")(batch(output=f"{s3}/out/"))
    assert (again["done"], again["reused"], again["credits"]) == (3, 3, 0)
    assert compared == first[1]["paths"]
    assert sandbox.charged() == 3
