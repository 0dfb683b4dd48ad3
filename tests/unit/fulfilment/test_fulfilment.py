"""The rules of money, one by one, over real HTTP with a clock of the test's own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.client import ClaidAnswerLostError, ClaidClient, ClaidRequestError, ClaidServerError, GenerateRequest
from airflow_claid.client.quota.quota import Quota
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import (
    CreditCeilingError,
    DeadLinkError,
    DownloadFailedError,
    JobFailedError,
    LostAnswerError,
    PictureNotFoundError,
    ReceiptUnreadableError,
)
from airflow_claid.fulfilment.budget import Budget, Reservation
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.fulfilment.payment import Payment
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, KnownReceipts
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.orders.order import Order
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.places import generation_place
from tests.support.dialects import SIGN_IN
from tests.support.shop import PROMPT, Memory, Shop, impatient


def test_intent_answer_and_delivery_are_written_in_this_order(shop: Shop) -> None:
    shop.fulfil(shop.generation(f"file://{shop.bucket}/out/"))
    assert shop.memory.states == [ReceiptState.INTENT, ReceiptState.UNREAD, ReceiptState.DELIVERED]


@pytest.mark.parametrize("fault", ["cut", "500", "502"])
def test_a_paid_request_without_an_answer_is_found_in_connected_storage_not_paid_again(shop: Shop, fault: str) -> None:
    order = shop.generation("storage://shop/spring/", images=2)
    shop.sandbox.fault(fault, operation="generate_image", charged=True)
    with pytest.raises((ClaidAnswerLostError, ClaidServerError)):
        shop.fulfil(order)
    assert shop.receipt(order).state is ReceiptState.INTENT
    result = shop.fulfil(order)
    assert len([image for image in result.images if image.usable]) == 2
    assert shop.sandbox.charged() == 2
    assert shop.receipt(order).lost_answers == 1


@pytest.mark.parametrize("fault", ["truncated", "empty"])
def test_an_answer_that_tells_nothing_is_made_good_by_the_pictures_in_connected_storage(shop: Shop, fault: str) -> None:
    order = shop.generation("storage://shop/spring/", images=2)
    shop.sandbox.fault(fault, operation="generate_image", charged=True)
    result = shop.fulfil(order)
    assert len([image for image in result.images if image.usable]) == 2
    assert shop.sandbox.charged() == result.credits == 2
    assert shop.receipt(order).lost_answers == 0


def test_an_answer_that_is_still_being_made_is_waited_for(shop: Shop) -> None:
    order = shop.generation("storage://shop/spring/")
    shop.sandbox.fault("latency", operation="generate_image", seconds=1.0)
    shop.client = impatient(shop)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    assert shop.sandbox.charged() == 0
    arrived = threading.Event()

    def wait_really() -> None:
        while not shop.sandbox.charged():  # which is known a little later than the picture is there
            arrived.wait(0.05)

    shop.while_sleeping = wait_really
    assert shop.fulfil(order).images[0].usable
    assert shop.slept
    assert shop.sandbox.charged() == 1


def test_a_request_that_never_arrived_is_sent_again_after_the_time_of_grace(shop: Shop) -> None:
    order = shop.generation("storage://shop/spring/")
    shop.sandbox.fault("cut", operation="generate_image", charged=False)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    assert shop.fulfil(order, grace=30.0).images[0].usable
    assert 29 <= sum(shop.slept) <= 31
    assert shop.sandbox.charged() == 1


def test_pictures_of_a_lost_answer_and_of_the_second_request_do_not_mix(shop: Shop) -> None:
    order = shop.generation("storage://shop/spring/")
    shop.sandbox.fault("cut", operation="generate_image", charged=False)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    path = shop.fulfil(order, grace=0.0).images[0].path or ""
    assert f"{order.fingerprint[:16]}-2/" in path


@pytest.mark.parametrize("output", [None, "object storage"])
def test_where_nothing_can_be_looked_up_the_user_decides(shop: Shop, output: str | None) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/" if output else None)
    shop.sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    with pytest.raises(LostAnswerError, match="may have cost 1 credits, and on_lost_response='fail'"):
        shop.fulfil(order, on_lost_response="fail")
    assert shop.sandbox.charged() == 1
    result = shop.fulfil(order, on_lost_response="resubmit")
    assert result.images[0].usable
    assert shop.sandbox.charged() == 2
    assert shop.receipt(order).lost_answers == 1
    assert shop.receipt(order).credits == 2


def test_in_a_bucket_that_a_connected_storage_covers_a_lost_answer_is_found_and_taken_over(shop: Shop) -> None:
    output = f"file://{shop.bucket}/out/"
    order = shop.generation(output, images=2, landing=shop.storages.covering(output))
    shop.sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    paths = [image.path for image in shop.fulfil(order).images]
    assert paths == [f"{output}{order.file_name(n)}" for n in (1, 2)]
    assert shop.sandbox.charged() == 2
    files = sorted(str(file.relative_to(shop.bucket)) for file in shop.bucket.rglob("*.png"))
    assert files == [f"out/{order.file_name(n)}" for n in (1, 2)]


def test_an_edits_lost_answer_is_found_at_its_exact_destination(shop: Shop) -> None:
    link = shop.fulfil(shop.generation()).images[0].path or ""
    order = shop.edit(link, "storage://shop/small/")
    shop.sandbox.fault("cut", operation="submit_edit", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    shop.while_sleeping = lambda: threading.Event().wait(0.05) and None
    assert shop.fulfil(order).images[0].path == "storage://shop/small/small.png"
    assert shop.sandbox.charged() == 2


def test_a_file_that_was_there_before_is_not_taken_for_the_answer(shop: Shop) -> None:
    link = shop.fulfil(shop.generation()).images[0].path or ""
    (shop.bucket / "small").mkdir()
    (shop.bucket / "small" / "small.png").write_bytes(b"somebody else's")
    order = shop.edit(link, "storage://shop/small/")
    shop.sandbox.fault("cut", operation="submit_edit", charged=False)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order)
    shop.fulfil(order, grace=3.0)
    assert (shop.bucket / "small" / "small.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_refused_or_never_sent_is_no_lost_answer(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.client = ClaidClient("unknown-key-0000", shop.sandbox.url, quota=Quota(()))
    with pytest.raises(Exception, match="401"):
        shop.fulfil(order)
    assert shop.receipt(order).state is ReceiptState.REFUSED


def test_a_jobs_id_is_in_the_receipt_before_the_first_poll_and_a_new_try_attaches(shop: Shop) -> None:
    link = shop.fulfil(shop.generation()).images[0].path or ""
    order = shop.edit(link)
    shop.sandbox.fault("job_stuck", operation="submit_edit")
    with pytest.raises(TimeoutError, match="is paid, and the next try waits for it again"):
        shop.fulfil(order, timeout=5.0)
    receipt = shop.receipt(order)
    assert receipt.state is ReceiptState.SUBMITTED
    with pytest.raises(TimeoutError, match=f"Job {receipt.job_id} "):
        shop.fulfil(order, timeout=5.0)
    assert shop.sandbox.charged() == 2
    assert len(shop.sandbox.ledger("submit_edit")) == 1


def test_a_failed_job_fails_and_a_new_try_asks_again(shop: Shop) -> None:
    link = shop.fulfil(shop.generation()).images[0].path or ""
    order = shop.edit(link)
    shop.sandbox.fault("job_error", operation="submit_edit")
    with pytest.raises(JobFailedError, match="ended as ERROR without a result"):
        shop.fulfil(order)
    assert shop.receipt(order).state is ReceiptState.FAILED
    assert shop.fulfil(order).images[0].usable


def test_half_of_the_downloads_done_are_not_done_again(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/", images=2)
    shop.sandbox.dialect(**SIGN_IN, prompt="_2.png")
    with pytest.raises(Exception, match="are no picture"):
        shop.fulfil(order)
    first = (shop.bucket / "out" / order.file_name(1)).stat().st_mtime_ns
    assert not (shop.bucket / "out" / order.file_name(2)).exists()
    result = shop.fulfil(order)
    assert [image.usable for image in result.images] == [True, True]
    assert (shop.bucket / "out" / order.file_name(1)).stat().st_mtime_ns == first
    assert shop.sandbox.charged() == 2
    assert result.credits == 0


def test_an_answer_whose_links_died_before_the_retry_is_paid_again_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.sandbox.fault("truncated", operation="download", count=4)
    with pytest.raises(DownloadFailedError):
        shop.fulfil(order)
    shop.sandbox.advance(25 * 3600)
    shop.time += timedelta(hours=25)
    assert shop.fulfil(order).images[0].usable
    assert "requesting it again for 1 credits" in caplog.text
    assert shop.sandbox.charged() == 2


def test_a_link_that_is_dead_on_arrival_does_not_pay_in_a_circle(shop: Shop) -> None:
    shop.sandbox.fault("expired", operation="download", probability=1)
    with pytest.raises(DeadLinkError):
        shop.fulfil(shop.generation(f"file://{shop.bucket}/out/"))
    assert shop.sandbox.charged() == 1


def test_a_temporary_link_is_reused_while_it_lives_with_a_margin(shop: Shop) -> None:
    order = shop.generation()
    first = shop.fulfil(order).images[0].path
    shop.time += timedelta(hours=22, minutes=50)
    assert shop.fulfil(order, "tuesday").images[0].path == first
    shop.time += timedelta(minutes=20)
    assert shop.fulfil(order, "wednesday").images[0].path != first
    assert shop.sandbox.charged() == 2


@pytest.mark.parametrize("content", [b"{ not json", b'{"version": 99}', b"[]", b'{"version": 1, "state": "delivered"}'])
def test_a_receipt_that_cannot_be_understood_stops_and_charges_nothing(shop: Shop, content: bytes) -> None:
    output = f"file://{shop.bucket}/out/"
    order = shop.generation(output)
    folder = shop.bucket / "out" / "_claid"
    folder.mkdir(parents=True)
    (folder / f"{order.fingerprint}.json").write_bytes(content)
    with pytest.raises(ReceiptUnreadableError, match="nothing was charged"):
        shop.fulfil(order, store=FolderReceipts(f"{output}_claid/"))
    assert shop.sandbox.ledger() == []


def test_a_store_that_times_out_or_refuses_stops_and_charges_nothing(shop: Shop) -> None:
    folder = shop.bucket / "out" / "_claid"
    order = shop.generation(f"file://{shop.bucket}/out/")
    (folder / f"{order.fingerprint}.json").mkdir(parents=True)
    with pytest.raises(ReceiptUnreadableError):
        shop.fulfil(order, store=FolderReceipts(f"file://{folder}/"))
    assert shop.sandbox.ledger() == []


class FullDisk(Memory):
    """Receipts that can be read and not written."""

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        raise OSError("no space left")


def test_an_intent_that_cannot_be_written_is_not_followed_by_a_request(shop: Shop) -> None:
    with pytest.raises(OSError, match="no space left"):
        shop.fulfil(shop.generation(), store=FullDisk())
    assert shop.sandbox.ledger() == []


def test_a_run_that_meets_the_same_request_of_another_run_waits_for_its_pictures(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.sandbox.fault("cut", operation="generate_image", charged=False)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order, "monday")

    def monday_gets_its_answer() -> None:
        shop.while_sleeping = lambda: None
        shop.fulfil(order, "monday")

    shop.while_sleeping = monday_gets_its_answer
    result = shop.fulfil(order, "tuesday")
    assert result.images[0].usable
    assert result.credits == 0
    assert shop.sandbox.charged() == 1


def test_a_run_does_not_wait_for_ever_for_another_that_died(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.sandbox.fault("cut", operation="generate_image", charged=False)
    with pytest.raises(ClaidAnswerLostError):
        shop.fulfil(order, "monday")
    assert shop.fulfil(order, "tuesday", grace=20.0).images[0].usable
    assert 19 <= sum(shop.slept) <= 21


def test_the_ceiling_counts_what_this_execution_spent(shop: Shop) -> None:
    with pytest.raises(CreditCeilingError, match="would cost 2 credits on top of 0 spent"):
        shop.fulfilment("monday", budget=Budget(1.0)).fulfil(shop.generation(images=2))
    assert shop.sandbox.ledger() == []


def test_an_unknown_connected_storage_is_refused_by_claid_without_a_charge(shop: Shop) -> None:
    with pytest.raises(ClaidRequestError):
        shop.fulfil(shop.generation("storage://nobody/has/"))
    assert shop.sandbox.charged() == 0


def test_names_with_accents_reach_connected_storage_and_come_back(shop: Shop) -> None:
    order = GenerateOrder(
        base_url=shop.client.base_url,
        place=generation_place("storage://shop/Frühling & Co/"),
        name="Élan 1",
        request=GenerateRequest.of(PROMPT),
    )
    (image,) = shop.fulfil(order).images
    assert image.blocked is False
    (file,) = (shop.bucket / "Frühling & Co").rglob("*.png")
    assert file.parent.name.startswith("Élan 1-")
    assert shop.fulfil(order, "tuesday").credits == 0


class Stammering(Memory):
    """A store that keeps the first receipt and, asked twice by a nervous client, says that there was one."""

    def create(self, receipt: Receipt) -> bool:
        self.write(receipt)
        return False


def test_a_receipt_that_was_created_though_the_store_denies_it_is_our_own(shop: Shop) -> None:
    result = shop.fulfil(shop.generation(), store=Stammering(), on_lost_response="fail")
    assert result.images[0].usable
    assert shop.sandbox.charged() == 1


class SlowerThanAnother(Memory):
    """A store in which another run's receipt appears between our look and our creation."""

    other: Callable[[], None]

    def create(self, receipt: Receipt) -> bool:
        self.other()
        return False


def test_a_run_whose_receipt_another_created_first_takes_over_what_that_one_paid(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    store = SlowerThanAnother(shop.memory.receipts)
    store.other = lambda: shop.fulfil(order, "monday") and None
    result = shop.fulfil(order, "tuesday", store=store)
    assert result.images[0].usable
    assert result.credits == 0
    assert shop.sandbox.charged() == 1


def asked_meanwhile(shop: Shop, order: Order, **terms: Any) -> tuple[Fulfilled, list[Fulfilled]]:
    """Fulfil an order for one run, while another run does the same between that one's look and its announcement."""
    others: list[Fulfilled] = []

    def other_run() -> None:
        thread = threading.Thread(target=lambda: others.append(shop.fulfil(order, "monday", **terms)))
        thread.start()
        thread.join()

    class SlowBudget(Budget):
        """Lets another run go first, once."""

        @contextmanager
        def reserve(self, order: Order, request: str = "") -> Iterator[Reservation]:
            if not others:
                other_run()
            with super().reserve(order, request) as reservation:
                yield reservation

    return shop.fulfilment("tuesday", budget=SlowBudget(), **terms).fulfil(order), others


@pytest.mark.parametrize("before", ["refused", "gone", "lost", "failed"])
def test_what_another_run_has_paid_while_this_one_waited_to_ask_again_is_not_paid_again(
    shop: Shop, before: str
) -> None:
    order: Order = shop.generation(f"file://{shop.bucket}/out/")
    if before == "refused":
        known, shop.client = shop.client, ClaidClient("unknown-key-0000", shop.sandbox.url, quota=Quota(()))
        with pytest.raises(Exception, match="401"):
            shop.fulfil(order)
        shop.client = known
    elif before == "gone":
        path = shop.fulfil(order).images[0].path or ""
        Path(path.removeprefix("file://")).unlink()
    elif before == "lost":
        shop.sandbox.fault("cut", operation="generate_image", charged=False)
        with pytest.raises(ClaidAnswerLostError):
            shop.fulfil(order)
        shop.time += timedelta(hours=1)
    else:
        order = shop.edit(shop.fulfil(shop.generation()).images[0].path or "", "storage://shop/small/")
        shop.sandbox.fault("job_error", operation="submit_edit")
        with pytest.raises(JobFailedError):
            shop.fulfil(order)
    paid = shop.sandbox.charged()
    result, (other,) = asked_meanwhile(shop, order)
    assert (result.credits, other.credits) == (0, 1)
    assert [image.path for image in result.images] == [image.path for image in other.images]
    assert shop.sandbox.charged() == paid + 1
    assert shop.receipt(order).author.run_id == "monday"


def test_who_pays_again_on_purpose_does_so_though_another_run_has_just_done_it(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.fulfil(order, "sunday")
    result, (other,) = asked_meanwhile(shop, order, regenerate=True)
    assert (result.credits, other.credits) == (1, 1)
    assert shop.sandbox.charged() == 3


@pytest.mark.parametrize(
    "query", ["X-Amz-Signature=s1gned&X-Amz-Expires=60", "Signature=s1gned&Expires=9&GoogleAccessId=x"]
)
def test_a_signed_link_is_kept_nowhere_and_signing_anew_is_the_same_request(shop: Shop, query: str) -> None:
    link = shop.fulfil(shop.generation()).images[0].path or ""
    first = shop.edit(f"{link}?{query}&versionId=3")
    again = shop.edit(f"{link}?{query.replace('s1gned', 'anew')}&versionId=3")
    other = shop.edit(f"{link}?{query}&versionId=4")
    assert first.fingerprint == again.fingerprint != other.fingerprint
    shop.fulfil(first)
    text = json.dumps(shop.receipt(first).to_json())
    assert "s1gned" not in text
    assert shop.receipt(first).body["input"] == first.subject == f"{link}?sha256:7e75e2b65898ec36"
    assert "versionId=3" not in text


def test_a_signed_temporary_link_is_not_in_the_receipt() -> None:
    image = DeliveredImage(1, None, None, tmp_url="https://storage.googleapis.com/b/a.png?X-Goog-Signature=abc")
    assert image.without_signed_links().tmp_url is None
    public = DeliveredImage(1, None, None, tmp_url="https://dl.claid.ai/u/a.png")
    assert public.without_signed_links() == public


class OnceFailing(Memory):
    """A store that fails the first time it is to write down what is paid, or delivered."""

    def __init__(self, memory: Memory, state: ReceiptState) -> None:
        super().__init__(memory.receipts)
        self.fails_at: ReceiptState | None = state

    def write(self, receipt: Receipt, *, replace: bool = False) -> None:
        if receipt.state is self.fails_at:
            self.fails_at = None
            raise OSError("503 SlowDown")
        super().write(receipt)


def test_a_paid_answer_is_written_down_again_and_again_rather_than_lost(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    assert shop.fulfil(order, store=OnceFailing(shop.memory, ReceiptState.PAID)).images[0].usable
    assert shop.fulfil(order, "tuesday").credits == 0
    assert shop.sandbox.charged() == 1


def test_a_failed_last_write_finds_the_landed_picture_again(shop: Shop) -> None:
    output = f"file://{shop.bucket}/out/"
    order = shop.generation(output, landing=shop.storages.covering(output))
    with pytest.raises(OSError, match="SlowDown"):
        shop.fulfil(order, store=OnceFailing(shop.memory, ReceiptState.DELIVERED))
    assert shop.fulfil(order).images[0].usable
    assert shop.sandbox.charged() == 1
    assert [file.name for file in shop.bucket.rglob("*.png")] == [order.file_name(1)]


def test_a_run_that_finds_the_landed_picture_taken_by_another_takes_over_its_result(shop: Shop) -> None:
    output = f"file://{shop.bucket}/out/"
    order = shop.generation(output, landing=shop.storages.covering(output))
    first, second = shop.fulfilment("monday"), shop.fulfilment("tuesday")
    begun = first.begin(order)
    also = second.begin(order)
    assert first.complete(begun).images == second.complete(also).images
    assert shop.sandbox.charged() == 1


def test_a_refused_regeneration_does_not_forget_what_is_paid(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.fulfil(order)
    paying = shop.client
    shop.client = ClaidClient("unknown-key-0000", shop.sandbox.url, quota=Quota(()))
    with pytest.raises(Exception, match="401"):
        shop.fulfil(order, "tuesday", regenerate=True)
    shop.client = paying
    assert shop.fulfil(order, "wednesday").credits == 0


def test_the_link_of_a_job_that_ended_a_day_ago_is_not_handed_on(shop: Shop) -> None:
    order = shop.edit(shop.fulfil(shop.generation()).images[0].path or "")
    shop.sandbox.fault("job_stuck", operation="submit_edit")
    with pytest.raises(TimeoutError):
        shop.fulfil(order, timeout=2.0)
    shop.memory.write(
        shop.receipt(order).evolve(
            state=ReceiptState.PAID,
            images=(DeliveredImage(1, None, None, tmp_url="http://x.test/a.png", expires_at=shop.time.isoformat()),),
        )
    )
    shop.time += timedelta(seconds=1)
    result = shop.fulfil(order)
    assert result.credits == 1
    assert result.images[0].path != "http://x.test/a.png"


def test_nothing_stays_behind_where_claid_wrote_when_a_run_stopped_between_two_pictures(shop: Shop) -> None:
    output = f"file://{shop.bucket}/out/"
    order = shop.generation(output, images=2, landing=shop.storages.covering(output))
    begun = shop.fulfilment("monday").begin(order)
    first = shop.fulfilment("monday").delivery.deliver(order, begun.receipt.images[0], 1)
    shop.memory.write(begun.receipt.evolve(images=(first, begun.receipt.images[1])))
    assert shop.fulfil(order).credits == 0
    files = sorted(file.name for file in shop.bucket.rglob("*.png"))
    assert files == [order.file_name(1), order.file_name(2)]


def refuse(shop: Shop, order: Order, run_id: str, **terms: Any) -> None:
    """Let a run send its request with a key that Claid does not know."""
    paying = shop.client
    shop.client = ClaidClient("unknown-key-0000", shop.sandbox.url, quota=Quota(()))
    with pytest.raises(Exception, match="401"):
        shop.fulfil(order, run_id, **terms)
    shop.client = paying


def test_a_refused_regeneration_does_not_forget_the_job_that_is_still_at_work(shop: Shop) -> None:
    order = shop.edit(shop.fulfil(shop.generation()).images[0].path or "")
    shop.fulfilment("monday").begin(order)
    job_id, charged = shop.receipt(order).job_id, shop.sandbox.charged()
    refuse(shop, order, "tuesday", regenerate=True)
    assert shop.receipt(order).job_id == job_id
    assert shop.fulfil(order, "wednesday").credits == 0
    assert shop.sandbox.charged() == charged


@pytest.mark.parametrize("payer_first", [True, False])
def test_of_two_runs_that_wait_for_one_job_the_second_takes_over_what_the_first_brought(
    payer_first: bool, shop: Shop
) -> None:
    link = shop.fulfil(shop.generation()).images[0].path or ""
    output = f"file://{shop.bucket}/out/"
    order = replace(shop.edit(link, output), landing=shop.storages.covering(output))
    charged = shop.sandbox.charged()
    runs = [shop.fulfilment(run_id) for run_id in ("monday", "tuesday")]
    begun = [(run, run.begin(order)) for run in runs]
    results = [run.complete(one) for run, one in (begun if payer_first else reversed(begun))]
    assert results[0].images == results[1].images
    assert sorted(result.credits for result in results) == [0, 1]
    assert shop.sandbox.charged() == charged + 1
    assert shop.receipt(order).state is ReceiptState.DELIVERED


def test_who_paid_takes_over_what_another_run_took_from_where_claid_wrote(shop: Shop) -> None:
    output = f"file://{shop.bucket}/out/"
    order = shop.generation(output, landing=shop.storages.covering(output))
    first, second = shop.fulfilment("monday"), shop.fulfilment("tuesday")
    begun = first.begin(order)
    also = second.complete(second.begin(order))
    assert first.complete(begun).images == also.images
    assert shop.sandbox.charged() == 1


@pytest.mark.parametrize("how", ["failed", "regenerated"])
def test_a_slow_run_does_not_write_over_the_job_that_another_has_asked_for_since(how: str, shop: Shop) -> None:
    order = shop.edit(shop.fulfil(shop.generation()).images[0].path or "", f"file://{shop.bucket}/out/")
    again = how == "regenerated"
    if not again:
        shop.sandbox.fault("job_error")
    slow, quick = shop.fulfilment("monday"), shop.fulfilment("tuesday")
    begun = slow.begin(order)
    if not again:
        with pytest.raises(JobFailedError):
            quick.complete(quick.begin(order))
    newer = shop.fulfilment("wednesday", regenerate=again).begin(order).receipt
    assert newer.job_id != begun.receipt.job_id
    charged = shop.sandbox.charged()
    if again:
        assert slow.complete(begun).images[0].usable
    else:
        with pytest.raises(JobFailedError):
            slow.complete(begun)
    assert shop.receipt(order).job_id == newer.job_id
    assert shop.fulfil(order, "wednesday", regenerate=again).credits == 0
    assert shop.sandbox.charged() == charged


def test_a_picture_whose_link_was_signed_and_so_not_kept_is_never_delivered_as_nothing(shop: Shop) -> None:
    order = shop.edit(shop.fulfil(shop.generation()).images[0].path or "")
    shop.fulfil(order)
    died = DeliveredImage(1, None, None, expires_at=(shop.time + timedelta(hours=9)).isoformat())
    shop.memory.write(shop.receipt(order).evolve(state=ReceiptState.PAID, images=(died,)))
    shop.time += timedelta(hours=9)
    result = shop.fulfil(order, "tuesday")
    assert result.images[0].path
    assert result.credits == 1


def test_a_picture_that_is_not_where_claid_says_is_not_called_good_unseen(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.storages = ConnectedStorages(shop.client, {"shop": f"file://{shop.bucket}/another-folder"})
    (image,) = shop.fulfil(shop.generation("storage://shop/spring/")).images
    assert image.blocked is None
    assert "is not where Claid said" in caplog.text


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("waited", [20, 100, 200])
def test_a_run_that_waited_long_for_the_quota_does_not_pay_for_what_another_has_asked_for_since(
    waited: int, known: bool, shop: Shop
) -> None:
    folder = f"file://{shop.bucket}/out/_claid/"
    store = KnownReceipts(folder, lambda _: False) if known else FolderReceipts(folder)
    order = shop.generation(f"file://{shop.bucket}/out/")
    slow, quick = (ClaidClient(shop.sandbox.api_key, shop.sandbox.url, quota=Quota(())) for _ in range(2))
    others: list[Fulfilled] = []

    def wait(seconds: float) -> None:
        if shop.slept:
            time.sleep(min(seconds, 0.05))
        else:
            shop.time += timedelta(seconds=waited)
            shop.slept.append(waited)
            if waited > 180:
                shop.client = quick
                others.append(shop.fulfil(order, "tuesday", FolderReceipts(folder)))

    slow._transport.sleep = wait
    shop.client = slow
    shop.sandbox.fault("429", operation="generate_image")
    began = shop.time.isoformat()
    result = shop.fulfil(order, store=store)
    assert shop.sandbox.charged() == 1
    assert [other.images for other in others] == [result.images] * len(others)
    receipt = FolderReceipts(folder).read(order.fingerprint)
    assert receipt is not None
    assert (receipt.asked_at == began) == (waited == 20)


def test_a_run_waits_for_another_as_long_as_that_one_says_that_it_is_still_asking(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    receipt = Payment(order, shop.memory, shop.fulfilment("monday"))._write_intent(edition=1, former=None)
    assert receipt is not None

    def renew() -> None:
        if len(shop.slept) == 170:
            shop.memory.write(receipt.evolve(asked_at=shop.time.isoformat()))
        if len(shop.slept) == 300:
            shop.memory.write(receipt.evolve(state=ReceiptState.REFUSED))

    shop.while_sleeping = renew
    assert shop.fulfil(order, "tuesday").credits == 1
    assert len(shop.slept) == 300
    assert shop.receipt(order).lost_answers == 0


def test_pictures_that_this_execution_paid_and_lost_are_not_paid_again_by_itself(shop: Shop) -> None:
    """Its answer was lost and its pictures found; then they were removed before they were taken over."""
    order = shop.generation(f"file://{shop.bucket}/out/", landing="storage://shop/out/")
    fulfilment = shop.fulfilment("monday")
    shop.sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        fulfilment.fulfil(order)
    begun = fulfilment.begin(order)
    assert (begun.credits, fulfilment.budget.spent, fulfilment.budget.in_doubt) == (1, 1, 0)
    for picture in (shop.bucket / "out" / "_claid" / "landing").rglob("*.png"):
        picture.unlink()
    for run_id in ("monday", "tuesday"):
        with pytest.raises(PictureNotFoundError):
            fulfilment.complete(begun) if run_id == "monday" else shop.fulfil(order, run_id)
    assert shop.sandbox.charged() == 1
    shop.time += timedelta(hours=25)
    assert shop.fulfil(order, "wednesday").images[0].usable
    assert shop.sandbox.charged() == 2
