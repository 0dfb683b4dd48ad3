"""Receipts, and what they save, in buckets that refuse to overwrite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import pytest

from airflow_claid.client import ClaidClient, GenerateRequest
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import PlaceRefusedError, ReceiptUnreadableError
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, KnownReceipts, ReceiptStore
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.listing import Inventory, list_files
from airflow_claid.storage.object_storage import read, write_whole
from airflow_claid.storage.places import generation_place
from tests.conftest import Connect, s3_connection
from tests.support.write_once import WriteOnceProxy, write_once
from tests.unit.fulfilment.test_receipt_stores import FINGERPRINT, RECEIPT

STATES = [RECEIPT.evolve(state=state) for state in (ReceiptState.INTENT, ReceiptState.PAID, ReceiptState.DELIVERED)]


@pytest.fixture(params=["412", "403"])
def proxy(request: pytest.FixtureRequest, s3_endpoint: str) -> Iterator[WriteOnceProxy]:
    with write_once(s3_endpoint, request.param) as proxy:
        yield proxy


@pytest.fixture
def bucket(proxy: WriteOnceProxy, s3: str, connect: Connect) -> str:
    """A bucket reached by a connection of its own, for Airflow keeps file systems by name."""
    conn_id = connect(f"once_{proxy.port}", **s3_connection(proxy.url))
    return f"s3://{conn_id}@{s3.rpartition('@')[2]}"


@pytest.mark.parametrize("store_of", [FolderReceipts, lambda folder: KnownReceipts(folder, lambda name: True)])
def test_each_state_is_a_file_and_the_last_one_counts_for_everybody(
    bucket: str, store_of: Callable[[str], ReceiptStore]
) -> None:
    folder = f"{bucket}/_claid/"
    store = store_of(folder)
    assert store.read(FINGERPRINT) is None
    assert store.create(STATES[0])
    assert not store.create(STATES[1])
    for receipt in STATES[1:]:
        store.write(receipt)
        assert store.read(FINGERPRINT) == FolderReceipts(folder).read(FINGERPRINT) == receipt
    assert Inventory(folder).has(f"{FINGERPRINT}.3.json")
    names = [file.uri.rpartition("/")[2] for file in list_files(folder)]
    assert names == [f"{FINGERPRINT}{number}.json" for number in (".2", ".3", "")]


def test_what_is_paid_for_again_on_purpose_follows_on_what_was_delivered(bucket: str) -> None:
    folder = f"{bucket}/_claid/"
    FolderReceipts(folder).create(STATES[0])
    for receipt in STATES[1:]:
        FolderReceipts(folder).write(receipt)
    for receipt in STATES:
        again = receipt.evolve(edition=3)
        store = FolderReceipts(folder)
        store.read(FINGERPRINT)
        store.write(again)
        assert FolderReceipts(folder).read(FINGERPRINT) == again


def test_two_runs_that_write_by_turns_lose_no_state(bucket: str) -> None:
    folder = f"{bucket}/_claid/"
    one, other = FolderReceipts(folder), FolderReceipts(folder)
    one.create(STATES[0])
    for number in range(1, 4):
        for store in (one, other):
            receipt = STATES[0].evolve(edition=number, subject=str(store))
            store.write(receipt)
            assert FolderReceipts(folder).read(FINGERPRINT) == receipt


def test_a_broken_state_is_not_passed_over_for_the_one_before(bucket: str) -> None:
    folder = f"{bucket}/_claid/"
    FolderReceipts(folder).create(STATES[0])
    write_whole(f"{folder}{FINGERPRINT}.2.json", b"{")
    with pytest.raises(ReceiptUnreadableError, match=rf"{FINGERPRINT}\.2\.json"):
        FolderReceipts(folder).read(FINGERPRINT)


def test_a_final_first_state_that_nobody_would_look_behind_is_not_followed(bucket: str) -> None:
    folder = f"{bucket}/_claid/"
    FolderReceipts(folder).create(STATES[-1])
    store = FolderReceipts(folder)
    store.read(FINGERPRINT)
    with pytest.raises(PlaceRefusedError, match="Nothing was sent and nothing was charged"):
        store.write(STATES[0].evolve(edition=3))
    assert FolderReceipts(folder).read(FINGERPRINT) == STATES[-1]


def test_where_files_are_overwritten_a_final_receipt_is_one_read_and_no_other_name_is_looked_for(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderReceipts(f"{s3}/_claid/")
    store.create(STATES[0])
    for receipt in STATES[1:]:
        store.write(receipt)
    assert [file.uri for file in list_files(f"{s3}/_claid/")] == [f"{s3}/_claid/{FINGERPRINT}.json"]
    looked: list[str] = []

    def counted(uri: str) -> bytes:
        looked.append(uri)
        return read(uri)

    monkeypatch.setattr("airflow_claid.fulfilment.receipt_stores.read_if_there", counted)
    assert store.read(FINGERPRINT) == STATES[-1]
    assert looked == [f"{s3}/_claid/{FINGERPRINT}.json"]


class Shop:
    """A sandbox, a bucket, and orders for it."""

    def __init__(self, claid: ClaidClient, bucket: str) -> None:
        self.claid = claid
        self.place = generation_place(f"{bucket}/out/")

    @property
    def order(self) -> GenerateOrder:
        request = GenerateRequest.of("A lamp", number_of_images=2)
        return GenerateOrder(base_url=self.claid.base_url, place=self.place, name="LAMP", request=request)

    def fulfilment(self, run_id: str, store: ReceiptStore | None = None, *, regenerate: bool = False) -> Fulfilment:
        def now() -> datetime:
            return datetime.now(timezone.utc)

        delivery = Delivery(Downloader(DownloadRules(self.claid.base_url)), ConnectedStorages(self.claid, {}), now)
        return Fulfilment(
            client=self.claid,
            delivery=delivery,
            receipts=lambda _: store or FolderReceipts(self.place.receipts),
            author=Author("shop", run_id, "pictures"),
            terms=Terms(regenerate=regenerate),
        )

    def contents(self, images: tuple[DeliveredImage, ...]) -> list[bytes]:
        return [read(image.path or "") for image in images]


class Killed(FolderReceipts):
    """A store whose process dies before, or after, it writes some state."""

    def __init__(self, folder: str, at: int, *, after: bool) -> None:
        super().__init__(folder)
        self._at, self._after, self._writes = at, after, 0

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        self._writes += 1
        if self._writes == self._at:
            if self._after:
                super().write(receipt, replace=replace)
            raise KeyboardInterrupt
        super().write(receipt, replace=replace)


@pytest.mark.parametrize(("at", "after"), [(1, True), (2, False), (2, True), (3, False), (3, True), (4, False)])
def test_after_a_kill_at_any_state_that_is_paid_the_next_try_pays_nothing(
    bucket: str, sandbox: Sandbox, claid: ClaidClient, at: int, after: bool
) -> None:
    shop = Shop(claid, bucket)
    with pytest.raises(KeyboardInterrupt):
        shop.fulfilment("monday", Killed(shop.place.receipts, at, after=after)).fulfil(shop.order)
    result = shop.fulfilment("monday").fulfil(shop.order)
    assert sandbox.charged() == 2
    assert [image.path for image in result.images] == [f"{shop.place.folder}LAMP_{n}.png" for n in (1, 2)]
    again = shop.fulfilment("tuesday").fulfil(shop.order)
    assert (again.credits, again.images) == (0, result.images)


def test_pictures_that_are_paid_for_again_go_beside_the_former_ones(
    bucket: str, sandbox: Sandbox, claid: ClaidClient
) -> None:
    shop = Shop(claid, bucket)
    first = shop.fulfilment("monday").fulfil(shop.order)
    before = shop.contents(first.images)
    again = shop.fulfilment("tuesday", regenerate=True).fulfil(shop.order)
    assert sandbox.charged() == 4
    assert shop.contents(first.images) == before
    assert all(shop.contents(again.images))
    kept = shop.fulfilment("wednesday").fulfil(shop.order)
    assert (kept.credits, kept.images) == (0, again.images)


def test_a_place_that_takes_no_file_at_all_is_named_before_anything_is_paid(
    bucket: str, proxy: WriteOnceProxy, sandbox: Sandbox, claid: ClaidClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "_refusal_of", lambda handler: 403 if handler.command == "PUT" else None)
    shop = Shop(claid, bucket)
    with pytest.raises(PlaceRefusedError) as caught:
        shop.fulfilment("monday").fulfil(shop.order)
    for part in (shop.place.receipts, "takes no receipt", "nothing was charged", "right to create files"):
        assert part in str(caught.value)
    assert sandbox.charged() == 0
