from __future__ import annotations

import logging
from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient, ClaidServerError, ClaidValidationError, Storage
from airflow_claid.client.quota.quota import Quota
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.object_storage import read_if_there

MAPPING = {
    "shop": "aws_default",
    "archive": "google_cloud_default",
    "folder": "file:///srv/bucket",
    "minio": "s3://minio@pictures/",
    "Shop EU": "file:///srv/eu",
    "web": "aws_default",
    "gone": "aws_default",
}


@pytest.fixture
def storages(sandbox: Sandbox, claid: ClaidClient) -> ConnectedStorages:
    sandbox.connect_storage("shop", bucket="pictures", path="/catalogue/2026/")
    sandbox.connect_storage("archive", bucket="old", type="gcs")
    sandbox.connect_storage("folder", bucket="anything")
    sandbox.connect_storage("minio", bucket="pictures", path="m")
    sandbox.connect_storage("web", bucket="https://shop.example/pictures", type="web_folder")
    sandbox.connect_storage("unmapped", bucket="secret")
    sandbox.connect_storage("Shop EU", bucket="eu")
    return ConnectedStorages(claid, MAPPING)


@pytest.mark.parametrize(
    ("storage_uri", "address"),
    [
        ("storage://shop/a/b.png", "s3://aws_default@pictures/catalogue/2026/a/b.png"),
        ("storage://shop/", "s3://aws_default@pictures/catalogue/2026/"),
        ("storage://shop", "s3://aws_default@pictures/catalogue/2026/"),
        ("storage://archive/b.png", "gs://google_cloud_default@old/b.png"),
        ("storage://folder/b.png", "file:///srv/bucket/b.png"),
        ("storage://folder/red%20chair.png", "file:///srv/bucket/red chair.png"),
        ("storage://minio/b.png", "s3://minio@pictures/m/b.png"),
        ("storage://folder/50% off#1?.png", "file:///srv/bucket/50% off#1?.png"),
        ("storage://Shop%20EU/b.png", "file:///srv/eu/b.png"),
        ("storage://Shop EU/b.png", "file:///srv/eu/b.png"),
        ("storage://web/b.png", None),
        ("storage://unmapped/b.png", None),
        ("storage://gone/b.png", None),
        ("storage://nobody/b.png", None),
    ],
)
def test_an_address_in_a_storage_becomes_one_in_its_bucket(
    storages: ConnectedStorages, storage_uri: str, address: str | None
) -> None:
    assert storages.find_readable_uri(storage_uri) == address


@pytest.mark.parametrize(
    "uri", ["s3://aws@pictures/a b.png", "file:///srv/50%25.png", "https://shop.example/a.png", ""]
)
def test_any_other_address_is_read_as_it_is(claid: ClaidClient, sandbox: Sandbox, uri: str) -> None:
    storages = ConnectedStorages(claid, MAPPING)
    assert storages.find_readable_uri(uri) == storages.readable_uri(uri) == uri
    assert sandbox.ledger() == []


@pytest.mark.parametrize(
    "uri",
    [
        "storage://shop/a%20b.png",
        "s3://another@pictures/catalogue/2026/a b.png",
        "s3a://pictures/catalogue/2026/a b.png",
    ],
)
def test_one_file_has_one_plain_address(storages: ConnectedStorages, uri: str) -> None:
    assert storages.plain_uri(uri) == "s3://pictures/catalogue/2026/a b.png"


def test_a_file_that_airflow_cannot_read_has_the_address_that_claid_has_for_it(storages: ConnectedStorages) -> None:
    assert storages.plain_uri("storage://unmapped/a%20b.png") == "storage://unmapped/a%20b.png"


def test_what_cannot_do_without_a_readable_address_is_told_what_is_missing(storages: ConnectedStorages) -> None:
    assert storages.readable_uri("storage://archive/b.png") == "gs://google_cloud_default@old/b.png"
    for name, problem in (
        ("unmapped", "is not mapped: put .* reaches the bucket 'secret'"),
        ("nobody", "is not one of the account"),
        ("web", "is a web folder"),
    ):
        with pytest.raises(ClaidValidationError, match=problem):
            storages.readable_uri(f"storage://{name}/b.png")


@pytest.mark.parametrize(
    ("uri", "storage_uri"),
    [
        ("s3://aws_default@pictures/catalogue/2026/a/b.png", "storage://shop/a/b.png"),
        ("s3://another@pictures/catalogue/2026/b.png", "storage://shop/b.png"),
        ("s3://pictures/catalogue/2026/b.png", "storage://shop/b.png"),
        ("s3a://pictures/catalogue/2026/b.png", "storage://shop/b.png"),
        ("gs://old/b.png", "storage://archive/b.png"),
        ("gcs://old/deep/b.png", "storage://archive/deep/b.png"),
        ("file:///srv/bucket/b.png", "storage://folder/b.png"),
        ("s3://pictures/m/b.png", "storage://minio/b.png"),
        ("file:///srv/bucket/100% red#1.png", "storage://folder/100%25%20red%231.png"),
        ("s3://pictures/other/b.png", None),
        ("s3://pictures/catalogue/2026-old/b.png", None),
        ("s3://pictures-old/catalogue/2026/b.png", None),
        ("gs://pictures/catalogue/2026/b.png", None),
        ("file:///srv/bucket2/b.png", None),
        ("s3://secret/b.png", None),
        ("https://shop.example/pictures/b.png", None),
    ],
)
def test_an_address_in_a_covered_bucket_becomes_one_in_the_storage(
    storages: ConnectedStorages, uri: str, storage_uri: str | None
) -> None:
    assert storages.covering(uri) == storage_uri


def test_there_and_back_is_the_same(storages: ConnectedStorages) -> None:
    for name in ("shop", "archive", "folder", "minio"):
        address = f"storage://{name}/spring/50%25%20red.png"
        assert storages.covering(storages.find_readable_uri(address) or "") == address


def test_what_claid_wrote_is_read_where_the_mapping_says(sandbox: Sandbox, claid: ClaidClient, tmp_path: Path) -> None:
    sandbox.connect_storage("local", bucket="pictures", path="catalogue", where=tmp_path)
    [image] = claid.generate_image("a red bicycle", output="storage://local/spring/").output
    storages = ConnectedStorages(claid, {"local": f"file://{tmp_path}"})
    address = storages.find_readable_uri(image.claid_storage_uri or "")
    assert address is not None
    assert (read_if_there(address) or b"").startswith(b"\x89PNG")


def test_a_storage_that_can_be_written_is_let_pass(storages: ConnectedStorages) -> None:
    for name in ("shop", "archive", "unmapped"):
        storages.check_writable(name)


def test_a_storage_that_the_account_does_not_have_is_told_with_those_it_has(storages: ConnectedStorages) -> None:
    with pytest.raises(ClaidValidationError) as caught:
        storages.check_writable("shoop")
    assert "'shoop', which the account does not have" in str(caught.value)
    assert "Shop EU, archive, folder, minio, shop, unmapped, web" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


def test_an_account_without_storages_is_told_as_such(claid: ClaidClient) -> None:
    with pytest.raises(ClaidValidationError, match="it has: none"):
        ConnectedStorages(claid, {}).check_writable("shop")


def test_a_web_folder_cannot_be_written(storages: ConnectedStorages) -> None:
    with pytest.raises(ClaidValidationError, match="'web', of type 'web_folder', which cannot be written: use one of"):
        storages.check_writable("web")


def test_storages_are_asked_for_once(storages: ConnectedStorages, sandbox: Sandbox) -> None:
    storages.check_writable("shop")
    storages.find_readable_uri("storage://shop/a.png")
    storages.covering("s3://pictures/a.png")
    assert len(sandbox.ledger("list_storages")) == 1


def test_without_a_mapping_nothing_is_asked(claid: ClaidClient, sandbox: Sandbox) -> None:
    storages = ConnectedStorages(claid, {})
    assert storages.find_readable_uri("storage://shop/a.png") is None
    assert storages.covering("s3://pictures/a.png") is None
    assert sandbox.ledger() == []


def test_a_key_without_the_scope_is_warned_of_once_and_stops_nothing(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.add_key("only-editing", scopes={"image_editing"})
    sandbox.connect_storage("shop", bucket="pictures")
    with ClaidClient("only-editing", sandbox.url, quota=Quota(())) as client, caplog.at_level(logging.WARNING):
        storages = ConnectedStorages(client, MAPPING)
        storages.check_writable("shop")
        storages.check_writable("anything")
        assert storages.find_readable_uri("storage://shop/a.png") is None
        assert storages.covering("s3://pictures/a.png") is None
    warnings = [record for record in caplog.records if "lacks the scope 'Storage' (or 'Admin')" in record.getMessage()]
    assert len(warnings) == 1
    assert len(sandbox.ledger("list_storages")) == 1


def test_a_list_that_could_not_be_had_is_not_taken_for_an_empty_one(sandbox: Sandbox) -> None:
    sandbox.fault("500", operation="list_storages", count=1)
    sandbox.connect_storage("shop", bucket="pictures")
    with ClaidClient(sandbox.api_key, sandbox.url, quota=Quota(()), max_wait=0) as client:
        storages = ConnectedStorages(client, MAPPING)
        with pytest.raises(ClaidServerError):
            storages.check_writable("shop")
        storages.check_writable("shop")


def test_a_storage_whose_bucket_claid_does_not_tell_is_not_looked_into(caplog: pytest.LogCaptureFixture) -> None:
    class Client:
        def list_storages(self) -> list[Storage]:
            return [Storage(name="shop", type="s3"), Storage.model_validate({"name": "folder", "parameters": None})]

    storages = ConnectedStorages(Client(), {"shop": "aws_default", "folder": "file:///srv"})  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for name in ("shop", "folder"):
            storages.check_writable(name)
            assert storages.find_readable_uri(f"storage://{name}/a.png") is None
    assert "Claid does not tell the bucket of the storage 'shop'" in caplog.text
