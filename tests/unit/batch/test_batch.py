from __future__ import annotations

import json
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.batch.batch import Batch
from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.items import ItemRow, Items
from airflow_claid.batch.manifest import Manifest
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.client import (
    ClaidAnswerLostError,
    ClaidAuthenticationError,
    ClaidCreditsError,
    ClaidNotSentError,
    ClaidRequestError,
    ClaidServerError,
    ClaidValidationError,
    GenerateRequest,
)
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import (
    AnswerPendingError,
    BatchStoppedError,
    CreditCeilingError,
    DownloadFailedError,
    DownloadRefusedError,
)
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.orders.order import Order
from airflow_claid.storage.places import Place, PlaceKind

PLACE = Place(PlaceKind.OBJECT_STORAGE, "file:///nowhere/")


def order_of(row: ItemRow) -> Order:
    return GenerateOrder(
        base_url="https://api.claid.ai/v1",
        place=PLACE,
        name=row.name,  # type: ignore[arg-type]
        request=GenerateRequest.of(row.values["prompt"]),  # type: ignore[arg-type]
    )


class NoReceipt:
    def read(self, fingerprint: str) -> None:
        return None


@dataclass
class FakeFulfilment:
    """Pays for an order, unless it is told what goes wrong, or what it has cost this execution instead."""

    does: Callable[[Order, FakeFulfilment], float | None]
    budget: Budget

    def wait(self) -> None:
        """Meet an answer that may still come."""
        self.budget.check_open()
        raise AnswerPendingError("it may still come")

    def fulfil(self, order: Order) -> Fulfilled:
        with self.budget.reserve(order) as reservation:
            spent = self.does(order, self)
            spent = reservation.charge() if spent is None else spent
        image = DeliveredImage(1, "file:///nowhere/a.png", False, bytes=3, checksum="c")
        return Fulfilled(order, (image,), spent, "r-1", order.credits, 0.0)

    def receipts(self, order: Order) -> NoReceipt:
        return NoReceipt()


@dataclass
class World:
    """A batch and what it is made of."""

    folder: Path
    does: Callable[[Order, FakeFulfilment], float | None] = lambda order, fulfilment: None
    prompts: Iterable[Any] = ()
    terms: BatchTerms = field(default_factory=lambda: BatchTerms(pause=0.001))
    latency: float | None = 0.1
    reports: list[tuple[int, float]] = field(default_factory=list)
    report_seconds: float = 30.0
    max_credits: float | None = None
    firsts: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.budget = Budget(self.max_credits)
        self.manifest = Manifest(f"file://{self.folder}/", "b" * 64, f"file://{self.folder}/manifest.jsonl")
        self.batch = Batch(
            rows=Items(self.prompts) if isinstance(self.prompts, (list, str)) else self.prompts,
            order_of=order_of,
            fulfilment=self._fulfilment,  # type: ignore[arg-type]
            budget=self.budget,
            manifest=self.manifest,
            still_there=lambda row: True,
            quota_rate=lambda: 1000.0,
            latency=lambda: self.latency,
            terms=self.terms,
            report=lambda counts: self.reports.append((counts.items, counts.credits)),
            report_seconds=self.report_seconds,
        )

    def _fulfilment(self, first: bool) -> FakeFulfilment:
        self.firsts.append(first)
        return FakeFulfilment(self.does, self.budget)

    def run(self) -> BatchCounts:
        try:
            return self.batch.run()
        finally:
            self.lines = [json.loads(line) for line in self.manifest.index.lines()]
            self.manifest.close()

    @property
    def by_status(self) -> Counter[str]:
        return Counter(line["status"] for line in self.lines)


def lamps(number: int) -> list[str]:
    return [f"Lamp number {count}" for count in range(1, number + 1)]


class Fails:
    """Raises errors for one prompt, one after the other."""

    def __init__(self, prompt: str, *errors: Exception) -> None:
        self.prompt = prompt
        self.errors = list(errors)
        self.tried = 0

    def __call__(self, order: Order, fulfilment: FakeFulfilment) -> None:
        if order.prompt == self.prompt:
            self.tried += 1
            if self.errors:
                raise self.errors.pop(0)


@pytest.mark.parametrize(
    "error",
    [
        ClaidServerError("500"),
        ClaidNotSentError("no way"),
        DownloadFailedError("half"),
        OSError("disk"),
        RuntimeError("what a bucket's library raises"),
    ],
)
def test_what_passes_is_tried_four_times_and_then_reported(tmp_path: Path, error: Exception) -> None:
    fails = Fails("Lamp number 2", error, error, error)
    world = World(tmp_path, fails, lamps(5))
    assert world.run().by_status == {"done": 5}
    assert fails.tried == 4

    fails = Fails("Lamp number 2", *[error] * 9)
    world = World(tmp_path / "again", fails, lamps(5))
    assert world.run().by_status == {"done": 4, "failed": 1}
    assert fails.tried == 4
    assert world.lines[1]["error"] == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("error", [ClaidRequestError("422"), DownloadRefusedError("not a picture")])
def test_what_does_not_pass_is_reported_at_once(tmp_path: Path, error: Exception) -> None:
    fails = Fails("Lamp number 2", error)
    world = World(tmp_path, fails, lamps(5))
    assert world.run().by_status == {"done": 4, "failed": 1}
    assert fails.tried == 1


def test_only_the_first_attempt_trusts_what_was_known_at_the_beginning(tmp_path: Path) -> None:
    world = World(tmp_path, Fails("Lamp number 1", OSError("disk")), lamps(1))
    world.run()
    assert world.firsts == [True, False]


@pytest.mark.parametrize("error", [ClaidAuthenticationError("401"), ClaidCreditsError("402")])
def test_what_is_the_accounts_stops_all_at_once(tmp_path: Path, error: Exception) -> None:
    world = World(tmp_path, Fails("Lamp number 3", error), lamps(500), BatchTerms(concurrency=1))
    with pytest.raises(type(error)):
        world.run()
    assert world.by_status == {"done": 2}


def test_many_failures_in_a_row_are_an_outage_and_few_are_not(tmp_path: Path) -> None:
    def down(order: Order, fulfilment: FakeFulfilment) -> None:
        raise ClaidNotSentError("no way")

    world = World(tmp_path, down, lamps(500))
    with pytest.raises(ClaidNotSentError):
        world.run()
    assert world.batch.counts.by_status["done"] == 0
    count = iter(range(10_000))

    def every_other(order: Order, fulfilment: FakeFulfilment) -> None:
        if next(count) % 2:
            raise ClaidNotSentError("no way")

    world = World(tmp_path / "again", every_other, lamps(200), BatchTerms(error_threshold=1, pause=0))
    world.run()
    assert world.by_status["done"] > 150


def test_a_claid_that_was_never_reached_stops_a_batch_after_a_few_items_and_one_that_was_reached_does_not(
    tmp_path: Path,
) -> None:
    tried: list[str] = []

    def away(order: Order, fulfilment: FakeFulfilment) -> None:
        tried.append(str(order.prompt))
        raise ClaidNotSentError("nothing listens there")

    world = World(tmp_path, away, lamps(20), BatchTerms(concurrency=1))
    with pytest.raises(ClaidNotSentError, match="nothing listens there"):
        world.run()
    assert len(tried) == 5
    assert world.by_status == {}

    def away_from_the_second_on(order: Order, fulfilment: FakeFulfilment) -> None:
        if order.prompt != "Lamp number 1":
            away(order, fulfilment)

    tried.clear()
    world = World(tmp_path / "again", away_from_the_second_on, lamps(100), BatchTerms(concurrency=1))
    with pytest.raises(ClaidNotSentError):
        world.run()
    assert len(tried) == 40


def test_who_can_only_wait_leaves_its_thread_to_the_others_as_often_as_it_takes(tmp_path: Path) -> None:
    done: list[str] = []
    looks = [0]

    def waits(order: Order, fulfilment: FakeFulfilment) -> None:
        if order.prompt == "Lamp number 1" and (looks[0] < 9 or len(done) < 29):
            looks[0] += 1
            fulfilment.wait()
        done.append(str(order.prompt))

    world = World(tmp_path, waits, lamps(30), BatchTerms(concurrency=1, pause=0.001))
    assert world.run().by_status == {"done": 30}
    assert done[-1] == "Lamp number 1"
    assert looks[0] >= 9, "waiting is no failure"


def test_who_waits_when_the_batch_stops_does_not_hold_it_up(tmp_path: Path) -> None:
    def waits(order: Order, fulfilment: FakeFulfilment) -> None:
        if order.prompt == "Lamp number 1":
            fulfilment.wait()
        if order.prompt == "Lamp number 9":
            world.batch.stop("the task was killed")

    world = World(tmp_path, waits, lamps(9), BatchTerms(concurrency=1, pause=600))
    with pytest.raises(BatchStoppedError, match="was killed"):
        world.run()
    assert world.by_status == {"done": 8}
    assert world.batch.counts.waiting == 1


def test_the_ceiling_holds_for_what_is_under_way_in_all_threads(tmp_path: Path) -> None:
    together = threading.Barrier(20)

    def slowly(order: Order, fulfilment: FakeFulfilment) -> None:
        together.wait(10)

    world = World(tmp_path, slowly, lamps(200), BatchTerms(concurrency=32), max_credits=20)
    with pytest.raises(CreditCeilingError, match="max_credits=20"):
        world.run()
    assert world.batch.counts.credits == 20
    assert world.by_status == {"done": 20}


def test_a_lost_answer_counts_against_the_ceiling(tmp_path: Path) -> None:
    terms = BatchTerms(concurrency=1, pause=600)
    world = World(tmp_path, Fails("Lamp number 1", ClaidAnswerLostError("cut")), lamps(9), terms, max_credits=5)
    with pytest.raises(CreditCeilingError, match=r"on top of 4 spent .*\(and perhaps 1 more, for lost answers\)"):
        world.run()
    assert (world.batch.counts.credits, world.batch.counts.credits_in_doubt) == (4, 1)


def test_an_interruption_of_the_main_thread_finishes_and_keeps_what_is_under_way(tmp_path: Path) -> None:
    """The main thread may be interrupted anywhere, as by a timeout of Airflow's."""

    def interrupted() -> Iterator[ItemRow]:
        yield ItemRow(1, {"prompt": "Lamp number 1"})
        raise KeyboardInterrupt

    world = World(tmp_path, prompts=interrupted())
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert world.by_status == {"done": 1}
    assert (tmp_path / "_claid" / "batches" / ("b" * 64) / "part-00001.jsonl").exists()


def test_a_timeout_between_counting_an_item_and_handing_it_out_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_claid.batch.threads.ThreadPoolExecutor.submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        World(tmp_path, prompts=lamps(3)).run()


def test_a_part_that_cannot_be_written_goes_with_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, prompts=lamps(20), terms=BatchTerms(concurrency=1))
    monkeypatch.setattr(world.manifest, "_part_rows", 5)
    flush, failures = world.manifest.flush, iter([OSError("no bucket")] * 3)

    def failing() -> None:
        for error in failures:
            raise error
        flush()

    monkeypatch.setattr(world.manifest, "flush", failing)
    assert world.run().by_status == {"done": 20}
    assert len(world.lines) == 20


def test_parts_that_can_never_be_written_stop_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, prompts=lamps(200), terms=BatchTerms(concurrency=1))

    def failing() -> None:
        raise OSError("no bucket")

    monkeypatch.setattr(world.manifest, "_part_rows", 5)
    monkeypatch.setattr(world.manifest, "flush", failing)
    with pytest.raises(OSError, match="no bucket"):
        world.run()
    assert world.batch.counts.credits < 20


def test_names_are_one_prompts_each(tmp_path: Path) -> None:
    prompts = [{"prompt": "A lamp", "name": "X"}, {"prompt": "A sofa", "name": "X"}, {"prompt": "A lamp", "name": "X"}]
    world = World(tmp_path, prompts=prompts)
    assert world.run().by_status == {"done": 1, "invalid": 1, "duplicate": 1}
    assert "of row 1" in world.lines[1]["error"]


def test_the_row_of_a_prompt_tells_of_no_picture(tmp_path: Path) -> None:
    world = World(tmp_path, prompts=lamps(1))
    world.run()
    assert world.lines[0].keys().isdisjoint({"input", "version", "listed", "from", "was"})


def test_a_row_that_is_no_good_says_what_it_had_and_why(tmp_path: Path) -> None:
    world = World(tmp_path, prompts=["ab", {"name": "X"}, *lamps(1)])
    world.run()
    first, second, _ = world.lines
    assert (first["row"], first["prompt"], first["fingerprint"], first["status"]) == (1, "ab", None, "invalid")
    assert (second["name"], second["prompt"]) == ("X", None)
    with pytest.raises(ClaidValidationError) as refused:
        GenerateRequest.of("ab")
    assert first["error"] == str(refused.value)


def ends_later(order: Order, fulfilment: FakeFulfilment) -> None:
    """Run while the rows after it are read."""
    threading.Event().wait(0.5)


def test_invalid_rows_stop_a_batch_though_the_items_before_them_end_later(tmp_path: Path) -> None:
    prompts = [*lamps(90), *["ab"] * 30, *(f"Chair {number}" for number in range(880))]
    world = World(tmp_path, ends_later, prompts, BatchTerms(concurrency=100))
    with pytest.raises(BatchStoppedError, match="11 of 101 items failed or were invalid: more than error_threshold"):
        world.run()
    assert world.by_status == {"invalid": 11, "done": 90}


def test_few_invalid_rows_do_not_stop_a_batch_because_they_end_first(tmp_path: Path) -> None:
    prompts = ["ab" if number % 20 == 0 else f"Chair {number}" for number in range(1, 401)]
    world = World(tmp_path, ends_later, prompts, BatchTerms(concurrency=300))
    world.run()
    assert world.by_status == {"invalid": 20, "done": 380}


@pytest.mark.parametrize(("broken", "retryable"), [("invalid", False), ("failed", True)])
def test_on_error_fail_tells_whether_a_retry_helps(tmp_path: Path, broken: str, retryable: bool) -> None:
    fails = Fails("Lamp number 2", *[OSError("disk")] * 9)
    prompts = ["ab", *lamps(9)] if broken == "invalid" else lamps(9)
    world = World(tmp_path, fails, prompts, BatchTerms(on_error="fail", pause=0))
    with pytest.raises(BatchStoppedError, match=r"\(on_error='fail'\)") as stopped:
        world.run()
    assert stopped.value.retryable is retryable


def test_reports_come_at_their_pace_and_at_the_end(tmp_path: Path) -> None:
    world = World(tmp_path, prompts=lamps(10), report_seconds=0)
    world.run()
    assert len(world.reports) > 10
    assert world.reports[-1] == (10, 10)
    seldom = World(tmp_path / "again", prompts=lamps(10), report_seconds=3600)
    seldom.run()
    assert seldom.reports == [(10, 10)]


def test_concurrency_is_what_is_asked_for(tmp_path: Path) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def counts(order: Order, fulfilment: FakeFulfilment) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.002)
        with lock:
            now[0] -= 1

    World(tmp_path, counts, lamps(60), BatchTerms(concurrency=7)).run()
    assert 1 < most[0] <= 7


def test_memory_grows_by_few_hundred_bytes_a_prompt(tmp_path: Path) -> None:
    peaks = []
    for number in (100, 4000, 8000):
        file = tmp_path / f"{number}.csv"
        text = "bright and made of brass on a wooden table photographed from above " * 5
        file.write_text("prompt\n" + "\n".join(f"{lamp} {text}" for lamp in lamps(number)))
        tracemalloc.start()
        world = World(tmp_path / str(number), prompts=f"file://{file}", terms=BatchTerms(concurrency=4))
        world.batch.run()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert world.manifest.index.by_status() == {"done": number}
        world.manifest.close()
    _, few, many = peaks
    grown = (many - few) / 4000
    assert grown < 300, f"{grown:.0f} bytes a prompt"


def test_what_was_paid_in_this_execution_is_not_counted_as_reused(tmp_path: Path) -> None:
    tried: list[str] = []

    def pays_and_fails_once(order: Order, fulfilment: FakeFulfilment) -> float:
        tried.append(str(order.prompt))
        if tried.count(str(order.prompt)) == 1:
            raise DownloadFailedError("cut")
        return 0.0

    counts = World(tmp_path, pays_and_fails_once, lamps(3), BatchTerms(pause=0)).run()
    assert (counts.by_status["done"], counts.reused) == (3, 0)


def test_what_an_earlier_execution_paid_is_counted_as_reused(tmp_path: Path) -> None:
    assert World(tmp_path, lambda order, fulfilment: 0.0, lamps(3)).run().reused == 3
