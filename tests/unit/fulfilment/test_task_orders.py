from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.client import ClaidAuthenticationError, ClaidClient
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.client.quota.quota import Quota
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.errors import CreditCeilingError, JobFailedError, JobTimeoutError, PartialFailureError
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.deferred import DeferredState
from airflow_claid.fulfilment.failures import Failure
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.progress import Progress
from airflow_claid.fulfilment.receipt import Author, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.fulfilment.resources import utc_now
from airflow_claid.fulfilment.task_orders import TaskOrders
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.edit import EditOrder
from airflow_claid.orders.order import Order
from airflow_claid.orders.source import source
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.places import edit_place


@dataclass
class Shop:
    """Orders of edits of generated pictures, and what fulfils them."""

    sandbox: Sandbox
    client: ClaidClient
    folder: Path
    links: list[str] = field(default_factory=list)

    @property
    def receipts(self) -> FolderReceipts:
        return FolderReceipts(f"file://{self.folder}/_claid/")

    def orders(self, *links: str, width: int = 9) -> list[Order]:
        return [
            EditOrder(
                base_url=self.client.base_url,
                place=edit_place(f"file://{self.folder}/"),
                name=f"P{number}",
                source=source(link, ConnectedStorages(self.client, {})),
                operations=Operations.model_validate({"resizing": {"width": width}}),
                output=ImageOutput(),
            )
            for number, link in enumerate(links)
        ]

    def fulfilment(
        self, run_id: str = "monday", max_credits: float | None = None, spent: float = 0.0, **terms: Any
    ) -> Fulfilment:
        return Fulfilment(
            client=self.client,
            delivery=Delivery(
                Downloader(DownloadRules(self.client.base_url)), ConnectedStorages(self.client, {}), utc_now
            ),
            receipts=lambda _: self.receipts,
            author=Author("shop", run_id, "pictures"),
            terms=Terms(poll_interval=0.1, **terms),
            budget=Budget(max_credits, spent=spent),
        )

    def begun(self, orders: list[Order], **terms: Any) -> TaskOrders:
        task_orders = TaskOrders(self.fulfilment(**terms), orders)
        task_orders.begin()
        return task_orders


@pytest.fixture
def shop(sandbox: Sandbox, claid: ClaidClient, tmp_path: Path) -> Shop:
    links = [one.tmp_url or "" for one in claid.generate_image("A blue vase", number_of_images=3).output]
    return Shop(sandbox, claid, tmp_path / "out", links)


def soon() -> Any:
    return utc_now() + timedelta(seconds=20)


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def carried(task_orders: TaskOrders) -> DeferredState:
    return DeferredState.from_json(json.loads(json.dumps(task_orders.deferred().to_json())))


def test_all_jobs_are_asked_for_before_the_first_is_waited_for(shop: Shop) -> None:
    task_orders = shop.begun(shop.orders(*shop.links))
    assert len(task_orders.waiting) == len(task_orders.job_ids) == task_orders.credits == 3
    assert not shop.sandbox.ledger("get_edit")
    assert [result.images[0].path for result in task_orders.complete(soon())] == [
        f"file://{shop.folder}/P{n}.jpg" for n in range(3)
    ]
    assert (task_orders.waiting, task_orders.credits) == ([], 0)
    task_orders.raise_failures()


def test_several_are_asked_for_at_once(shop: Shop) -> None:
    shop.sandbox.fault("hold", operation="submit_edit", count=3)
    task_orders = TaskOrders(shop.fulfilment(), shop.orders(*shop.links))
    begin = threading.Thread(target=task_orders.begin)
    begin.start()
    try:
        assert eventually(lambda: shop.sandbox.held == 3)
    finally:
        shop.sandbox.release()
        begin.join(20)
    assert [one.order.name for one in task_orders.begun] == ["P0", "P1", "P2"]


def test_all_threads_together_keep_the_ceiling(shop: Shop) -> None:
    links = [*shop.links, *(f"{link}?again" for link in shop.links)]
    task_orders = TaskOrders(shop.fulfilment(max_credits=4.0), shop.orders(*links))
    with pytest.raises(CreditCeilingError, match="max_credits=4"):
        task_orders.begin()
    assert task_orders.spent == len(task_orders.begun) == len(shop.sandbox.ledger("submit_edit"))
    assert task_orders.spent <= 4
    assert [one.order.name for one in task_orders.begun] == sorted(one.order.name or "" for one in task_orders.begun)


def test_what_concerns_the_account_stops_the_rest_and_is_what_is_raised(shop: Shop) -> None:
    orders = shop.orders(*(f"{shop.links[0]}?{number}" for number in range(60)))
    shop.client = ClaidClient("unknown-key-0000", shop.sandbox.url, quota=Quota(()))
    task_orders = TaskOrders(shop.fulfilment(), orders)
    with pytest.raises(ClaidAuthenticationError):
        task_orders.begin()
    assert (task_orders.begun, task_orders.spent) == ([], 0)
    assert len(list(shop.folder.rglob("*.json"))) < 60


def test_one_request_twice_is_paid_once(shop: Shop) -> None:
    order = shop.orders(shop.links[0])[0]
    task_orders = TaskOrders(shop.fulfilment(), [order, replace(order), *shop.orders(shop.links[1])])  # type: ignore[type-var]
    task_orders.begin()
    assert len(task_orders.begun) == 3
    assert len(shop.sandbox.ledger("submit_edit")) == task_orders.spent == 2


def test_one_that_fails_stops_no_other_and_is_named(shop: Shop) -> None:
    shop.sandbox.fault("job_error", prompt=shop.links[1])
    task_orders = shop.begun(shop.orders(*shop.links))
    assert len(task_orders.complete(soon())) == 2
    with pytest.raises(PartialFailureError, match="1 of 3 pictures failed; the others are kept") as failed:
        task_orders.raise_failures()
    assert list(task_orders.failed) == [shop.links[1]]
    assert "ended as ERROR without a result: Internal error" in str(failed.value)
    assert not failed.value.retryable


def test_the_only_one_fails_with_its_own_error(shop: Shop) -> None:
    shop.sandbox.fault("job_error")
    task_orders = shop.begun(shop.orders(shop.links[0]))
    assert task_orders.complete(soon()) == []
    with pytest.raises(JobFailedError, match="ended as ERROR"):
        task_orders.raise_failures()


def test_jobs_that_are_not_done_in_time_stay_waiting_for_and_what_is_done_is_kept(shop: Shop) -> None:
    shop.sandbox.fault("job_stuck", prompt=shop.links[0])
    task_orders = shop.begun(shop.orders(*shop.links[:2]))
    assert len(task_orders.complete(utc_now() + timedelta(seconds=1))) == 1
    with pytest.raises(PartialFailureError) as failed:
        task_orders.raise_failures()
    assert failed.value.retryable
    again = shop.begun(shop.orders(shop.links[0]))
    assert len(again.waiting) == 1
    assert again.spent == 0
    again.complete(utc_now())
    with pytest.raises(JobTimeoutError):
        again.raise_failures()


def test_another_process_goes_on_with_what_it_is_handed(shop: Shop) -> None:
    shop.sandbox.fault("job_error", prompt=shop.links[2])
    state = carried(shop.begun(shop.orders(*shop.links)))
    charged = shop.sandbox.charged()
    assert shop.client._transport.auth._key not in json.dumps(state.to_json())
    task_orders = TaskOrders.resumed(shop.fulfilment(spent=state.spent), shop.orders(*shop.links), state)
    assert (len(task_orders.waiting), task_orders.spent) == (3, 3)
    results = task_orders.complete(soon())
    assert [result.credits for result in results] == [1, 1]
    with pytest.raises(PartialFailureError, match="1 of 3 pictures failed"):
        task_orders.raise_failures()
    assert shop.sandbox.charged() == charged


def test_what_failed_in_the_first_process_fails_in_the_second(shop: Shop) -> None:
    refused = shop.sandbox.url + "/tmp/none.png"
    task_orders = shop.begun(shop.orders(shop.links[0]))
    task_orders.failed[refused] = Failure(refused, PartialFailureError("refused", retryable=False))
    state = carried(task_orders)
    resumed = TaskOrders.resumed(shop.fulfilment(), shop.orders(shop.links[0], refused), state)
    resumed.complete(soon())
    with pytest.raises(PartialFailureError, match=r"1 of 2 .*none\.png'?: refused"):
        resumed.raise_failures()


def test_each_job_has_its_time_from_its_own_submission(shop: Shop) -> None:
    started = utc_now()
    task_orders = TaskOrders(shop.fulfilment(timeout=100), shop.orders(*shop.links))
    task_orders.started = started - timedelta(seconds=60)
    task_orders.begin()
    first, second, third = task_orders.begun
    early = first.receipt.evolve(paid_at=(started - timedelta(seconds=40)).isoformat())
    before = second.receipt.evolve(paid_at=(started - timedelta(days=1)).isoformat())
    assert task_orders.deadline_of(replace(first, receipt=early)) == started + timedelta(seconds=60)
    assert task_orders.deadline_of(replace(second, receipt=before)) == started + timedelta(seconds=40)
    assert task_orders.deadline_of(third) > started + timedelta(seconds=99)
    assert list(task_orders.deadlines) == task_orders.waiting


def test_a_job_that_takes_too_long_fails_alone_and_the_others_are_waited_for(shop: Shop) -> None:
    shop.sandbox.fault("job_stuck", prompt=shop.links[0])
    shop.sandbox.change(job_seconds=1.5)
    task_orders = shop.begun(shop.orders(*shop.links), timeout=60)
    stuck, *others = task_orders.begun
    task_orders._deadlines[stuck.receipt.fingerprint] = utc_now() + timedelta(seconds=0.2)
    assert [result.order.name for result in task_orders.complete()] == [one.order.name for one in others]
    assert isinstance(task_orders.failed[shop.links[0]].error, JobTimeoutError)


def test_deadlines_are_carried_to_the_next_process(shop: Shop) -> None:
    task_orders = shop.begun(shop.orders(*shop.links), timeout=100)
    deadlines = {one.order.name: task_orders.deadline_of(one) for one in task_orders.begun}
    state = carried(task_orders)
    assert state.deadline == max(deadlines.values())
    resumed = TaskOrders.resumed(shop.fulfilment(timeout=7), shop.orders(*shop.links), state)
    assert {one.order.name: resumed.deadline_of(one) for one in resumed.begun} == deadlines


def test_the_log_says_how_far_it_is(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.sandbox.fault("job_error", prompt=shop.links[1])
    ticks = count(0, 30)
    orders = shop.orders(*shop.links)
    with caplog.at_level("INFO"):
        task_orders = TaskOrders(shop.fulfilment(), orders, progress=Progress(lambda: float(next(ticks))))
        task_orders.begin()
        task_orders.complete()
    said = [line for line in caplog.messages if "pictures done" in line]
    assert said[0] == "0 of 3 pictures done, 3 jobs running, 0 failed; 3 credits"
    assert said[-1] == "2 of 3 pictures done, 0 jobs running, 1 failed; 3 credits"
    assert all(line in said for line in ("1 of 3 pictures done, 1 job running, 1 failed; 3 credits",))


@pytest.mark.parametrize("change", ["other", "more", "width"])
def test_orders_that_changed_during_the_wait_are_not_paid_and_the_retry_pays_for_what_is_new(
    change: str, shop: Shop
) -> None:
    state = carried(shop.begun(shop.orders(shop.links[0])))
    new = {
        "other": shop.orders(shop.links[1]),
        "more": shop.orders(*shop.links[:2]),
        "width": shop.orders(shop.links[0], width=10),
    }[change]
    charged = shop.sandbox.charged()
    with pytest.raises(PartialFailureError, match="changed while the task waited") as failed:
        TaskOrders.resumed(shop.fulfilment(), new, state)
    assert failed.value.retryable
    assert shop.sandbox.charged() == charged


def test_a_receipt_that_another_run_completed_is_not_completed_again(shop: Shop) -> None:
    orders = shop.orders(shop.links[0])
    state = carried(shop.begun(orders))
    shop.begun(orders).complete(soon())
    looks = len(shop.sandbox.ledger("get_edit"))
    (result,) = TaskOrders.resumed(shop.fulfilment(), orders, state).complete(soon())
    assert result.images[0].path == f"file://{shop.folder}/P0.jpg"
    assert len(shop.sandbox.ledger("get_edit")) == looks


@pytest.mark.parametrize("receipt_state", [ReceiptState.INTENT, ReceiptState.REFUSED, ReceiptState.FAILED])
def test_what_another_run_asks_for_anew_does_not_take_the_place_of_what_is_waited_for(
    receipt_state: ReceiptState, shop: Shop
) -> None:
    orders = shop.orders(shop.links[0])
    task_orders = shop.begun(orders)
    state, job_ids = carried(task_orders), task_orders.job_ids
    kept = shop.receipts.read(orders[0].fingerprint)
    assert kept is not None
    shop.receipts.write(kept.evolve(state=receipt_state, edition=kept.edition + 1, job_id=None))
    resumed = TaskOrders.resumed(shop.fulfilment(), orders, state)
    assert resumed.waiting == job_ids
    assert resumed.complete(soon())[0].images[0].usable


def test_a_picture_that_is_named_in_two_ways_is_one_job_before_and_after_the_wait(shop: Shop) -> None:
    orders = [*shop.orders(shop.links[0]), *shop.orders(shop.links[0])]
    charged = shop.sandbox.charged()
    resumed = TaskOrders.resumed(shop.fulfilment(), orders, carried(shop.begun(orders)))
    assert [result.credits for result in resumed.complete(soon())] == [1, 0]
    assert shop.sandbox.charged() == charged + 1
