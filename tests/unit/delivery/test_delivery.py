from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient, GenerateRequest
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.object_storage import write_whole
from airflow_claid.storage.places import generation_place
from tests.support.pictures import photograph, picture, png_with
from tests.support.scripted_server import Received, Reply, ScriptedServer


def generation(output: str | None) -> GenerateOrder:
    request = GenerateRequest.of("a lamp", number_of_images=1)
    return GenerateOrder(
        base_url="https://api.claid.ai/v1", place=generation_place(output), name=None, landing=None, request=request
    )


def part_of(content: bytes, request: Received, ranges: bool, length: str) -> Reply:
    """The answer of a bucket that knows ranges, or of one that does not."""
    asked = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", request.headers.get("Range", ""))
    if not ranges or asked is None:
        return Reply(200, content, length=length)
    start, end = int(asked[1]), min(int(asked[2]) + 1, len(content))
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(content) if length == 'true' else '*'}"}
    return Reply(206, content[start:end], headers)


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


class TestPicturesOfOneRequest:
    """What a picture is, and what its link gives."""

    @pytest.fixture
    def delivery(self, scripted: ScriptedServer) -> Delivery:
        client = ClaidClient("some-key", base_url=f"{scripted.url}/v1")
        return Delivery(Downloader(DownloadRules(client.base_url)), ConnectedStorages(client, {}), lambda: NOW)

    def test_a_picture_of_another_size_than_announced_is_delivered_with_a_warning(
        self, delivery: Delivery, scripted: ScriptedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        scripted.replies(Reply(200, photograph(320, 240), {"Content-Type": "text/html"}))
        announced = DeliveredImage(1, None, None, 1024, 1024, tmp_url=f"{scripted.url}/a.png")
        delivered = delivery.deliver(generation(f"file://{tmp_path}/"), announced, 1)
        assert (delivered.width, delivered.height, delivered.blocked) == (320, 240, False)
        assert Path((delivered.path or "").removeprefix("file://")).read_bytes() == photograph(320, 240)
        assert "announced a picture of 1024x1024 pixels, and it has 320x240" in caplog.text

    @pytest.mark.parametrize("ranges", [True, False])
    @pytest.mark.parametrize("length", ["true", "none"])
    def test_a_black_picture_behind_a_link_is_seen_however_large(
        self, delivery: Delivery, scripted: ScriptedServer, ranges: bool, length: str
    ) -> None:
        for content, blocked in (
            (png_with(picture(1024, 1024, "black"), b"caBX", os.urandom(100_000)), True),
            (picture(1024, 1024, "black", compress_level=0), True),
            (picture(1024, 1024, "black"), True),
            (photograph(1024, 1024), False),
        ):
            scripted.answers_by(lambda request, content=content: part_of(content, request, ranges, length))
            image = DeliveredImage(1, None, None, 1024, 1024, tmp_url=f"{scripted.url}/a.png")
            assert delivery.deliver(generation(None), image, 1).blocked is blocked

    def test_of_a_large_picture_behind_a_link_only_the_beginning_is_fetched(
        self, delivery: Delivery, scripted: ScriptedServer
    ) -> None:
        content = photograph(2048, 2048)
        scripted.answers_by(lambda request: part_of(content, request, True, "true"))
        image = DeliveredImage(1, None, None, tmp_url=f"{scripted.url}/a.png")
        assert delivery.deliver(generation(None), image, 1).path == image.tmp_url
        assert [request.headers["Range"] for request in scripted.received] == ["bytes=0-65535"]
