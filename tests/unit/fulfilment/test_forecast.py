"""A forecast tells, to the credit, what a run then spends, and leaves everything as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.client.models.jobs import JobOutcome
from airflow_claid.client.quota.quota import Quota
from airflow_claid.fulfilment.forecast import Forecast
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, KnownReceipts, NoReceipts, ReceiptStore
from airflow_claid.fulfilment.spare_receipts import SparedReceipts, SpareReceipts, SpoolSpare
from airflow_claid.orders.batch_edit import BatchEditOrder, BatchFolder
from airflow_claid.orders.order import Order
from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.places import edit_place
from tests.support.dialects import SIGN_IN
from tests.support.shop import Shop

ELSEWHERE = "elsewhere|1|1"


@dataclass
class Case:
    """How a receipt came to be, and what a run is to cost then.

    :param before: makes it.
    :param order: of which request.
    :param terms: of the forecast, and of the run.
    """

    before: Callable[[Shop, Order], None]
    order: Callable[[Shop], Order]
    state: ReceiptState | None
    credits: float
    reused: bool
    reason: str
    in_doubt: float = 0.0
    terms: dict[str, Any] | None = None
    run_id: str = "monday"


def temporary(shop: Shop) -> Order:
    return shop.generation(images=2)


def bucket(shop: Shop) -> Order:
    return shop.generation(f"file://{shop.bucket}/out/", images=2)


def connected(shop: Shop) -> Order:
    return shop.generation("storage://shop/spring/", images=2)


def landing(shop: Shop) -> Order:
    output = f"file://{shop.bucket}/out/"
    return shop.generation(output, images=2, landing=shop.storages.covering(output))


def edit(shop: Shop) -> Order:
    path = shop.bucket / "lamp.png"
    if not path.exists():
        image = shop.fulfil(shop.generation(f"file://{shop.bucket}/inputs/")).images[0]
        path.write_bytes(Path((image.path or "").removeprefix("file://")).read_bytes())
    return shop.edit("storage://shop/lamp.png", f"file://{shop.bucket}/small/")


def unlisted_folder(shop: Shop) -> Order:
    """A folder of which only Claid knows how many pictures it holds."""
    folder = shop.bucket / "inputs"
    if not folder.exists():
        image = shop.fulfil(shop.generation(f"file://{shop.bucket}/once/")).images[0]
        folder.mkdir()
        for name in ("a.png", "b.png", "c.png"):
            (folder / name).write_bytes(Path((image.path or "").removeprefix("file://")).read_bytes())
    return BatchEditOrder(
        base_url=shop.client.base_url,
        place=edit_place("storage://shop/small/"),
        name=None,
        folder=BatchFolder("storage://shop/inputs/", recursive=False),
        sources=(),
        operations=Operations.model_validate({"resizing": {"width": 64, "height": "auto", "fit": "bounds"}}),
        output=ImageOutput(format="png"),
    )


def nothing(shop: Shop, order: Order) -> None:
    pass


def fulfilled(shop: Shop, order: Order) -> None:
    shop.fulfil(order)


def fault(kind: str, **conditions: Any) -> Callable[[Shop, Order], None]:
    """A run that ends with this fault."""

    def run(shop: Shop, order: Order) -> None:
        shop.sandbox.fault(kind, **{"operation": order.operation, **conditions})
        with suppress(Exception):
            shop.fulfil(order, timeout=2.0 if kind == "job_stuck" else 3600.0)

    return run


def dialect(**fields: Any) -> Callable[[Shop, Order], None]:
    def run(shop: Shop, order: Order) -> None:
        shop.sandbox.dialect(**fields)
        with suppress(Exception):
            shop.fulfil(order)
        shop.sandbox.clear_dialects()

    return run


def refused(shop: Shop, order: Order) -> None:
    paying = shop.client
    shop.client = ClaidClient("unknown-key-0000", shop.sandbox.url, quota=Quota(()))
    with suppress(Exception):
        shop.fulfil(order)
    shop.client = paying


def blocked(shop: Shop) -> Order:
    order = shop.generation(f"file://{shop.bucket}/out/")
    return replace(order, request=order.request.model_copy(update={"input": "A nude statue"}))


def then(*steps: Callable[[Shop, Order], None]) -> Callable[[Shop, Order], None]:
    def run(shop: Shop, order: Order) -> None:
        for step in steps:
            step(shop, order)

    return run


def a_day_passes(shop: Shop, order: Order) -> None:
    shop.sandbox.advance(25 * 3600)
    shop.time += timedelta(hours=25)


def by_the_clock_of_the_task_only(shop: Shop, order: Order) -> None:
    shop.time += timedelta(hours=25)


def pictures_removed(shop: Shop, order: Order) -> None:
    for picture in [*(shop.bucket / "out").rglob("*.png"), *(shop.bucket / "spring").rglob("*.png")]:
        picture.unlink()


def of_another_machine(shop: Shop, order: Order) -> None:
    receipt = shop.receipt(order)
    shop.memory.write(receipt.evolve(author=replace(receipt.author, run_id="sunday", process=ELSEWHERE)))


def refused_job(shop: Shop, order: Order) -> None:
    """The job ended with an error while nobody was waiting."""
    shop.sandbox.fault("job_error", operation="submit_edit")
    with suppress(Exception):
        shop.fulfilment("monday").begin(order)


def begun(shop: Shop, order: Order) -> None:
    shop.fulfilment("monday").begin(order)


def its_job_ends(shop: Shop, order: Order) -> None:
    job_id = shop.receipt(order).job_id
    assert job_id is not None
    assert order.job_kind is not None
    while shop.client.get_job(order.job_kind, job_id).outcome is JobOutcome.PENDING:
        time.sleep(0.02)


CUT_CHARGED = fault("cut", charged=True)
CUT_BEFORE = fault("cut", charged=False)
NO_DOWNLOAD = fault("truncated", operation="download", count=8)
S = ReceiptState

CASES = {
    "never requested": Case(nothing, bucket, None, 2, False, "not been requested before"),
    "never requested, to a temporary place": Case(nothing, temporary, None, 2, False, "not been requested"),
    "refused": Case(refused, bucket, S.REFUSED, 2, False, "was not paid for"),
    "a job that failed": Case(fault("job_error", operation="submit_edit"), edit, S.FAILED, 1, False, "made nothing"),
    "a job that failed unseen": Case(refused_job, edit, S.SUBMITTED, 0, True, "is paid for"),
    "delivered": Case(fulfilled, bucket, S.DELIVERED, 0, True, "in place"),
    "delivered, seen from another run": Case(fulfilled, bucket, S.DELIVERED, 0, True, "in place", run_id="tuesday"),
    "delivered to connected storage": Case(fulfilled, connected, S.DELIVERED, 0, True, "in place"),
    "delivered as links": Case(fulfilled, temporary, S.DELIVERED, 0, True, "in place"),
    "links that have expired": Case(
        then(fulfilled, a_day_passes), temporary, S.DELIVERED, 2, False, "link has expired or expires soon"
    ),
    "pictures that were removed": Case(
        then(fulfilled, pictures_removed), bucket, S.DELIVERED, 2, False, "was removed or replaced"
    ),
    "pictures that were removed from connected storage": Case(
        then(fulfilled, pictures_removed), connected, S.DELIVERED, 2, False, "was removed or replaced"
    ),
    "again on purpose": Case(
        fulfilled, bucket, S.DELIVERED, 2, False, "on purpose", terms={"regenerate": True}, run_id="tuesday"
    ),
    "again on purpose, by a retry of the same": Case(
        fulfilled, bucket, S.DELIVERED, 0, True, "in place", terms={"regenerate": True}
    ),
    "again on purpose, after an intent": Case(
        CUT_CHARGED, bucket, S.INTENT, 2, False, "on purpose", terms={"regenerate": True}, run_id="tuesday"
    ),
    "blocked": Case(fulfilled, blocked, S.BLOCKED, 0, True, "blocked"),
    "a lost answer": Case(CUT_CHARGED, bucket, S.INTENT, 2, False, "is not there", in_doubt=2),
    "a lost answer, of a request that never arrived": Case(
        CUT_BEFORE, connected, S.INTENT, 2, False, "is not there", in_doubt=2
    ),
    "a lost answer, a person decides": Case(
        CUT_CHARGED, bucket, S.INTENT, 0, False, "on_lost_response='fail'", 2, {"on_lost_response": "fail"}
    ),
    "a lost answer in connected storage": Case(CUT_CHARGED, connected, S.INTENT, 0, True, "its pictures are at"),
    "a lost answer in a landing": Case(CUT_CHARGED, landing, S.INTENT, 0, True, "its pictures are at"),
    "a lost answer in connected storage, a person decides": Case(
        CUT_CHARGED, connected, S.INTENT, 0, True, "pictures are at", terms={"on_lost_response": "fail"}
    ),
    "another run, which never answers": Case(
        then(CUT_BEFORE, of_another_machine), bucket, S.INTENT, 2, False, "but may still come", in_doubt=2
    ),
    "another run long ago": Case(
        then(CUT_BEFORE, of_another_machine, a_day_passes), bucket, S.INTENT, 2, False, "is not there", in_doubt=2
    ),
    "an answer that cannot be read": Case(fault("empty"), bucket, S.UNREAD, 0, False, "could not be read"),
    "an answer that could not be downloaded": Case(NO_DOWNLOAD, bucket, S.UNREAD, 0, True, "to be delivered"),
    "an answer whose links have expired": Case(
        then(NO_DOWNLOAD, a_day_passes), bucket, S.UNREAD, 2, False, "have expired"
    ),
    "an answer whose links should have expired, and have not": Case(
        then(NO_DOWNLOAD, by_the_clock_of_the_task_only), bucket, S.UNREAD, 0, True, "to be delivered"
    ),
    "one of two pictures delivered": Case(
        dialect(**SIGN_IN, prompt="_2.png"), bucket, S.PAID, 0, True, "to be delivered"
    ),
    "one of two pictures delivered, a day ago": Case(
        then(dialect(**SIGN_IN, prompt="_2.png"), a_day_passes), bucket, S.PAID, 2, False, "have expired"
    ),
    "what was written into connected storage a day ago": Case(
        then(begun, a_day_passes), connected, S.UNREAD, 0, True, "to be delivered"
    ),
    "a job at work": Case(begun, edit, S.SUBMITTED, 0, True, "is paid for"),
    "a job that ended a day ago": Case(
        then(begun, its_job_ends, a_day_passes), edit, S.SUBMITTED, 1, False, "have expired"
    ),
    "a job of a day ago at work": Case(
        then(fault("job_stuck", operation="submit_edit"), by_the_clock_of_the_task_only),
        edit,
        S.SUBMITTED,
        0,
        True,
        "Job ",
    ),
    "a job that failed a day ago": Case(
        then(refused_job, its_job_ends, by_the_clock_of_the_task_only), edit, S.SUBMITTED, 0, False, "ended as ERROR"
    ),
    "a job whose price is known when it is done": Case(
        then(begun, its_job_ends), unlisted_folder, S.SUBMITTED, 3, True, "to be delivered"
    ),
}


@pytest.fixture
def state_of_everything(shop: Shop) -> Callable[[], object]:
    def look() -> object:
        files = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files_in(shop.bucket)}
        return files, shop.memory.receipts.copy(), shop.memory.states.copy(), charges(shop)

    return look


def charges(shop: Shop) -> list[str]:
    """The requests that cost something; polls are free."""
    return [entry.request_id for entry in shop.sandbox.ledger() if entry.credits]


def files_in(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())


def forecast(shop: Shop, order: Order, run_id: str, **terms: Any) -> tuple[Fulfilment, Forecast]:
    fulfilment = shop.fulfilment(run_id, grace=20.0, timeout=4.0, **terms)
    return fulfilment, fulfilment.forecast(order)


@pytest.mark.parametrize("name", CASES)
def test_a_run_spends_what_its_forecast_said(name: str, shop: Shop, state_of_everything: Callable[[], object]) -> None:
    case = CASES[name]
    order = case.order(shop)
    case.before(shop, order)
    kept = shop.memory.receipts.get(order.fingerprint)
    assert (kept.state if kept else None) is case.state
    before, charged = state_of_everything(), shop.sandbox.charged()

    fulfilment, told = forecast(shop, order, case.run_id, **(case.terms or {}))

    assert state_of_everything() == before
    assert (told.credits, told.reused, told.in_doubt) == (case.credits, case.reused, case.in_doubt)
    assert case.reason in told.reason
    requests = len(charges(shop))
    with suppress(Exception):
        fulfilment.fulfil(order)
    assert fulfilment.budget.spent == told.credits
    assert shop.sandbox.charged() - charged == (told.credits if told.requests else 0)
    assert len(charges(shop)) - requests == told.requests


def test_the_price_of_a_folder_that_only_claid_can_list_is_known_when_its_job_is_done(shop: Shop) -> None:
    order = unlisted_folder(shop)
    _, told = forecast(shop, order, "monday")
    assert (told.credits, told.requests) == (0, 1)
    assert "Only Claid knows how many pictures" in told.reason
    shop.sandbox.fault("job_stuck", operation=order.operation)
    shop.fulfilment("monday").begin(order)
    _, told = forecast(shop, order, "monday")
    assert (told.credits, told.requests, told.reused) == (0, 0, True)
    assert "Job " in told.reason


def stores(shop: Shop, tmp_path: Path) -> list[ReceiptStore]:
    folder = f"file://{shop.bucket}/none/yet/_claid/"
    files = FolderReceipts(folder)
    return [
        files,
        KnownReceipts(folder, Inventory(folder, recursive=False).has),
        SparedReceipts(files, SpareReceipts([SpoolSpare(tmp_path / "none" / "spool")])),
        NoReceipts(),
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_place_that_is_not_there_yet_has_no_receipts_and_is_not_made(number: int, shop: Shop, tmp_path: Path) -> None:
    order = shop.generation(f"file://{shop.bucket}/none/yet/")
    store = stores(shop, tmp_path)[number]
    assert shop.fulfilment("monday", store).forecast(order).credits == 1
    assert list(shop.bucket.iterdir()) == []
    assert shop.sandbox.ledger() == []


def test_a_receipt_that_cannot_be_read_costs_nothing(shop: Shop) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    folder = shop.bucket / "out" / "_claid"
    folder.mkdir(parents=True)
    (folder / f"{order.fingerprint}.json").write_text("{ not json")
    told = shop.fulfilment("monday", FolderReceipts(order.place.receipts)).forecast(order)
    assert (told.credits, told.requests, told.reused) == (0, 0, False)
    assert "could not be read" in told.reason


def test_a_receipt_in_the_second_place_is_read_and_stays_there(shop: Shop, tmp_path: Path) -> None:
    order = shop.generation(f"file://{shop.bucket}/out/")
    shop.sandbox.fault("truncated", operation="download", count=4)
    with suppress(Exception):
        shop.fulfil(order)
    paid = shop.receipt(order)
    files = FolderReceipts(order.place.receipts)
    files.create(paid.evolve(state=ReceiptState.INTENT, answer=None))
    spool = SpoolSpare(tmp_path / "spool")
    spool.keep(paid)
    kept = {file: file.read_bytes() for file in files_in(tmp_path)}
    told = shop.fulfilment("monday", SparedReceipts(files, SpareReceipts([spool]))).forecast(order)
    assert (told.credits, told.reused) == (0, True)
    assert {file: file.read_bytes() for file in files_in(tmp_path)} == kept
