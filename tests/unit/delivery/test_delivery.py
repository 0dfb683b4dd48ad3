from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.downloads import Downloader, DownloadRules
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.object_storage import write_whole

NOW = datetime(2026, 10, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


@pytest.fixture
def delivery(claid: ClaidClient, sandbox: Sandbox, tmp_path: Path) -> Delivery:
    """Knows the storage ``shop``, which is a local folder, and not where ``unmapped`` is."""
    for name in ("shop", "unmapped"):
        sandbox.connect_storage(name, bucket="pictures", where=tmp_path)
    storages = ConnectedStorages(claid, {"shop": f"file://{tmp_path}"})
    return Delivery(Downloader(DownloadRules(claid.base_url)), storages, lambda: NOW)


def test_links_live_a_day_from_when_they_were_made(delivery: Delivery) -> None:
    assert delivery.links_expire_at(None) == "2026-10-02T12:00:00+00:00"
    assert delivery.links_expire_at("2026-09-30T06:30:00+00:00") == "2026-10-01T06:30:00+00:00"


def test_a_link_is_there_while_it_lives_long_enough(delivery: Delivery) -> None:
    link = DeliveredImage(1, "https://dl.claid.ai/a.png", False, expires_at=(NOW + 2 * HOUR).isoformat())
    assert delivery.is_there(link, HOUR)
    assert not delivery.is_there(link, 2 * HOUR)


def test_a_file_is_there_while_its_content_is_the_one_delivered(delivery: Delivery, tmp_path: Path) -> None:
    address = f"file://{tmp_path}/a b.png"
    write_whole(address, b"a lamp")
    checksum = checksum_if_there(address)
    for path in (address, "storage://shop/a%20b.png"):
        assert delivery.is_there(DeliveredImage(1, path, False, checksum=checksum), HOUR)
    write_whole(address, b"another")
    for path in (address, "storage://shop/a%20b.png"):
        assert not delivery.is_there(DeliveredImage(1, path, False, checksum=checksum), HOUR)


def test_a_file_that_nobody_here_can_read_is_taken_to_be_there(delivery: Delivery) -> None:
    assert delivery.is_there(DeliveredImage(1, "storage://unmapped/a.png", False, checksum="abc"), HOUR)


def test_a_blocked_picture_need_not_be_anywhere_and_another_must(delivery: Delivery) -> None:
    assert delivery.is_there(DeliveredImage(1, None, True), HOUR)
    assert not delivery.is_there(DeliveredImage(1, None, False), HOUR)


def test_what_claid_wrote_is_found_at_its_destination(delivery: Delivery, tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "deep/c.png"):
        write_whole(f"file://{tmp_path}/spring/{name}", b"a lamp")
    found = delivery.at_destination("storage://shop/spring/")
    assert [(image.position, image.claid_storage_uri) for image in found or ()] == [
        (1, "storage://shop/spring/a.png"),
        (2, "storage://shop/spring/b.png"),
    ]
    assert delivery.at_destination("storage://shop/winter/") == []
    assert delivery.at_destination("storage://shop/spring/none.png") == []
    assert delivery.at_destination("storage://unmapped/spring/") is None


def test_what_was_taken_over_is_removed_from_where_claid_wrote_it(delivery: Delivery, tmp_path: Path) -> None:
    write_whole(f"file://{tmp_path}/landing/a.png", b"a lamp")
    write_whole(f"file://{tmp_path}/landing/deep/b.png", b"a lamp")
    delivery.clear_landing("storage://shop/landing/")
    assert [path.name for path in (tmp_path / "landing").rglob("*.png")] == ["b.png"]
