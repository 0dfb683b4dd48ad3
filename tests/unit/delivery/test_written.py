"""Pictures that Claid wrote are found whether it decodes the path of an address or takes it as it was sent."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_claid.client import Storage
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.delivery.written import find_written
from airflow_claid.storage.connected import ConnectedStorages

SHOP = Storage.model_validate({"id": 1, "name": "shop", "type": "s3", "parameters": {"bucket": "pictures"}})
SPELLINGS = [
    ("50% off/", "50% off"),
    ("50% off/", "50%25%20off"),
    ("50%25%20off/", "50% off"),
    ("50%25%20off/", "50%25%20off"),
    ("größe #1?/", "größe #1?"),
    ("größe #1?/", "gr%C3%B6%C3%9Fe%20%231%3F"),
    ("plain/", "plain"),
]


@pytest.fixture
def storages(tmp_path: Path) -> ConnectedStorages:
    client = SimpleNamespace(list_storages=lambda: [SHOP])
    return ConnectedStorages(client, {"shop": f"file://{tmp_path}"})  # type: ignore[arg-type]


@pytest.mark.parametrize(("folder", "written"), SPELLINGS)
def test_a_written_picture_is_found_under_both_spellings(
    folder: str, written: str, storages: ConnectedStorages, tmp_path: Path
) -> None:
    delivery = Delivery(SimpleNamespace(), storages, lambda: datetime.now(timezone.utc))  # type: ignore[arg-type]
    destination = f"storage://shop/{folder}"
    assert delivery.at_destination(destination) == []
    assert delivery.state_of(f"{destination}a.png") is None

    (tmp_path / written).mkdir()
    (tmp_path / written / "a.png").write_bytes(b"picture")
    [image] = delivery.at_destination(destination) or []
    assert image.claid_storage_uri == f"{destination}a.png"
    assert delivery.at_destination(f"{destination}a.png")
    assert delivery.state_of(f"{destination}a.png")
    for answered in (image, DeliveredImage(1, None, None)):
        found = find_written(storages, answered, destination)
        assert found
        assert found.file
        assert found.readable == f"file://{tmp_path}/{written}/a.png"

    checksum = hashlib.sha256(b"picture").hexdigest()
    kept = DeliveredImage(1, f"{destination}a.png", blocked=False, checksum=checksum, bytes=7, sha256=checksum)
    assert delivery.is_there(kept, timedelta(0))
    (tmp_path / written / "a.png").unlink()
    assert not delivery.is_there(kept, timedelta(0))


def test_what_was_taken_over_is_removed_under_both_spellings(storages: ConnectedStorages, tmp_path: Path) -> None:
    delivery = Delivery(SimpleNamespace(), storages, lambda: datetime.now(timezone.utc))  # type: ignore[arg-type]
    (tmp_path / "my%20folder").mkdir()
    (tmp_path / "my%20folder" / "a.png").write_bytes(b"picture")
    delivery.clear_landing("storage://shop/my folder/")
    assert not list((tmp_path / "my%20folder").iterdir())


OWN = "lamp é-0123456789abcdef"
FORMS = {
    "STORAGE://shop/out/{own}/a.png": "a.png",
    "storage://Shop//out/{own}/a.png": "a.png",
    "storage://shop/out/lamp%20%C3%A9-0123456789abcdef/a.png": "a.png",
    "shop/out/{own}/a.png": "a.png",
    "s3://pictures/pre/fix/out/{own}/a.png": "a.png",
    "gs://pictures/out/{own}/more/a.png": "more/a.png",
    "https://pictures.s3.amazonaws.com/out/lamp%20%C3%A9-0123456789abcdef/a.png?X-Amz-Signature=1": "a.png",
    "https://s3.eu-west-1.amazonaws.com/pictures/out/{own}/a.png": "a.png",
    "out/{own}/a.png": "a.png",
    "/out/{own}/a.png": "a.png",
    "pictures/out/{own}/a.png": "a.png",
    "a.png": "a.png",
}


@pytest.mark.parametrize("answered", FORMS)
def test_the_address_that_is_handed_on_is_the_same_in_whatever_form_it_is_answered(answered: str) -> None:
    """Nobody here can look: what is handed on must be right."""
    storages = ConnectedStorages(SimpleNamespace(list_storages=lambda: [SHOP]), {})  # type: ignore[arg-type]
    text, destination = answered.format(own=OWN), f"storage://shop/out/{OWN}/"
    for image in (
        DeliveredImage(1, None, None, object_key=text),
        DeliveredImage(1, None, None, object_uri=text),
        DeliveredImage(1, None, None, claid_storage_uri=text, object_key="out/another-fedcba9876543210/b.png"),
    ):
        found = find_written(storages, image, destination)
        assert found
        assert (found.path, found.readable, found.file) == (destination + FORMS[answered], None, None)


def test_in_a_folder_that_others_write_to_no_file_is_taken_by_its_position(
    storages: ConnectedStorages, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"earlier")
    (tmp_path / "out" / "b.png").write_bytes(b"picture")
    assert find_written(storages, DeliveredImage(1, None, None), "storage://shop/out/", shared=True) is None
    found = find_written(
        storages, DeliveredImage(1, None, None, object_key="out/b.png"), "storage://shop/out/", shared=True
    )
    assert found
    assert found.path == "storage://shop/out/b.png"


def test_what_is_beside_the_pictures_is_removed_with_them(storages: ConnectedStorages, tmp_path: Path) -> None:
    delivery = Delivery(SimpleNamespace(), storages, lambda: datetime.now(timezone.utc))  # type: ignore[arg-type]
    (tmp_path / "landing").mkdir()
    for name in ("a.png", "a.json", "empty"):
        (tmp_path / "landing" / name).write_bytes(b"" if name == "empty" else b"picture")
    assert [image.claid_storage_uri for image in delivery.at_destination("storage://shop/landing/") or []] == [
        "storage://shop/landing/a.png"
    ]
    delivery.clear_landing("storage://shop/landing/")
    assert not list((tmp_path / "landing").iterdir())
