"""Batches of orders that become jobs, over real HTTP: no thread waits for a job, and each is paid once."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from airflow_claid.batch.threads import POLLS_AT_ONCE
from airflow_claid.errors import BatchStoppedError, UnprovenAnswersError
from tests.support.job_batch import Shop
from tests.support.sandbox_client import wait_until


def test_many_jobs_run_at_once_and_few_threads_wait(shop: Shop) -> None:
    shop.sandbox.change(job_seconds=3.0)
    batch = shop.batch(60)
    run = threading.Thread(target=lambda: shop.finish(batch))
    run.start()
    wait_until(lambda: batch.counts.jobs == 60, 20)
    busy = sum(thread.name.startswith("claid-batch") for thread in threading.enumerate())
    run.join(30)
    assert busy <= 32 + POLLS_AT_ONCE, "the threads that sent the jobs"
    assert batch.counts.by_status == {"done": 60}
    assert batch.counts.credits == shop.sandbox.charged() == sum(line["credits"] for line in shop.lines) == 120
    assert max(counts.jobs for counts in shop.reports) == 60
    assert batch.counts.jobs == 0


def test_concurrency_counts_the_jobs_that_are_waited_for(shop: Shop) -> None:
    assert shop.run(20, concurrency=4).by_status == {"done": 20}
    assert max(counts.jobs for counts in shop.reports) <= 4


def test_polls_are_few(shop: Shop) -> None:
    shop.sandbox.change(job_seconds=0.5)
    shop.run(120, concurrency=12)
    assert len(shop.sandbox.ledger("get_ai_edit")) < 2 * 120


def test_a_job_that_takes_too_long_is_a_failed_row_and_the_next_run_waits_for_it_without_paying(shop: Shop) -> None:
    shop.sandbox.fault("job_stuck", operation="submit_ai_edit", prompt="snow, 2", seconds=2.0)
    counts = shop.run(4, fulfil={"timeout": 1.0})
    assert counts.by_status == {"done": 3, "failed": 1}
    assert "the next try waits for it again without paying" in shop.lines[1]["error"]
    assert shop.lines[1]["credits"] == 2
    counts = shop.run(4, "tuesday")
    assert counts.by_status == {"done": 4}
    assert (shop.submitted, counts.credits, shop.sandbox.charged()) == (4, 0, 8)


def test_a_job_that_claid_ends_with_an_error_is_a_failed_row(shop: Shop) -> None:
    shop.sandbox.fault("job_error", operation="submit_ai_edit", prompt="snow, 3")
    assert shop.run(4).by_status == {"done": 3, "failed": 1}
    assert shop.lines[2]["error"].startswith("JobFailedError: Job ")


def test_a_stop_waits_for_no_job_and_the_next_run_attaches_to_all(shop: Shop) -> None:
    shop.sandbox.change(job_seconds=60.0)
    batch = shop.batch(30)
    stopped: list[Exception] = []

    def run() -> None:
        try:
            shop.finish(batch)
        except BatchStoppedError as error:
            stopped.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: batch.counts.jobs == 30, 20)
    batch.stop("the task was killed")
    thread.join(10)
    assert not thread.is_alive()
    assert stopped
    assert shop.submitted == 30
    shop.sandbox.change(job_seconds=0.05)
    shop.sandbox.advance(120)
    counts = shop.run(40, "tuesday")
    assert counts.by_status == {"done": 40}
    assert (shop.submitted, shop.sandbox.charged(), counts.credits) == (40, 80, 20)


def test_polls_that_fail_are_no_end_of_a_job(shop: Shop) -> None:
    shop.sandbox.fault("500", operation="get_ai_edit", probability=0.3)
    assert shop.run(12).by_status == {"done": 12}
    assert shop.submitted == 12


@pytest.mark.unproven
def test_an_unproven_account_sends_one_job_waits_for_it_and_then_sends_the_others(shop: Shop) -> None:
    shop.sandbox.change(job_seconds=1.0)
    batch = shop.batch(8, concurrency=8)
    run = threading.Thread(target=lambda: shop.finish(batch))
    run.start()
    wait_until(lambda: batch.counts.jobs == 1, 10)
    threading.Event().wait(0.4)
    assert shop.submitted == 1
    run.join(30)
    assert batch.counts.by_status == {"done": 8}
    assert max(counts.jobs for counts in shop.reports) > 1


@pytest.mark.unproven
def test_a_job_whose_result_cannot_be_read_is_the_only_one_that_is_paid(shop: Shop) -> None:
    shop.sandbox.dialect(operation="get_ai_edit", without=["data.result", "data.results"])
    with pytest.raises(UnprovenAnswersError, match="could not be read"):
        shop.run(20)
    assert shop.submitted == 1


def test_what_was_charged_is_what_is_reported_whatever_goes_wrong(shop: Shop) -> None:
    shop.sandbox.fault("500", probability=0.05, operation="submit_ai_edit")
    shop.sandbox.fault("job_error", probability=0.03, seed=1, operation="submit_ai_edit")
    shop.sandbox.fault("502", probability=0.05, seed=2, operation="get_ai_edit")
    shop.sandbox.fault("truncated", probability=0.03, seed=3, operation="submit_ai_edit")
    shop.sandbox.fault("cut", probability=0.02, seed=4, operation="download")
    counts = shop.run(300, error_threshold=1.0)
    statuses = Counter(line["status"] for line in shop.lines)
    assert statuses["done"] > 270
    assert sum(statuses.values()) == 300
    reported = sum(line["credits"] + line["credits_in_doubt"] for line in shop.lines)
    assert shop.sandbox.charged() <= reported + 1e-9
    assert counts.credits <= shop.sandbox.charged() <= counts.credits + counts.credits_in_doubt
