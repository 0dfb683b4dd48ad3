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
