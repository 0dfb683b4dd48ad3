from __future__ import annotations

import pytest

from airflow_claid.client import ClaidRequestError
from airflow_claid.errors import (
    DownloadFailedError,
    JobFailedError,
    JobGoneError,
    JobTimeoutError,
    LinkNotAllowedError,
    PartialFailureError,
)
from airflow_claid.fulfilment.failures import Failure, error_of, may_be_passed_over

REFUSED = Failure("s3://shop/a.png", ClaidRequestError("refused"))
LATE = Failure("s3://shop/b.png", JobTimeoutError("late"))
BROKEN = Failure("s3://shop/c.png", DownloadFailedError("broken"))
GONE = Failure("s3://shop/d.png", JobGoneError("gone"))
FORBIDDEN = Failure("s3://shop/e.png", LinkNotAllowedError("forbidden"), of_all=True)
FINE = None


def passed_over(*outcomes: Failure | None, succeeded: bool = True, known: bool = True, last: bool = True) -> bool:
    return may_be_passed_over(outcomes, succeeded=succeeded, jobs_known=known, last_try=last)


def test_what_no_retry_cures_is_passed_over_at_once() -> None:
    assert passed_over(FINE, REFUSED, last=False)
    assert passed_over(FINE, REFUSED, REFUSED, REFUSED, last=False)


@pytest.mark.parametrize("failure", [LATE, BROKEN])
def test_what_a_retry_may_cure_is_passed_over_by_the_last_try(failure: Failure) -> None:
    assert not passed_over(FINE, REFUSED, failure, last=False)
    assert passed_over(FINE, REFUSED, failure)


def test_if_nothing_succeeded_nothing_is_passed_over() -> None:
    assert not passed_over(REFUSED, LATE, succeeded=False)


def test_what_concerns_all_is_not_passed_over() -> None:
    assert not passed_over(FINE, FINE, FINE, FORBIDDEN)


def test_an_unknown_job_is_passed_over_where_claid_knows_another() -> None:
    assert passed_over(FINE, GONE)
    assert not passed_over(FINE, GONE, known=False)


def test_many_passing_failures_are_an_outage() -> None:
    assert passed_over(FINE, LATE)
    assert not passed_over(FINE, LATE, BROKEN)
    assert passed_over(*[FINE] * 50, *[BROKEN] * 39)
    assert not passed_over(*[FINE] * 50, *[BROKEN] * 40)
    assert passed_over(*[FINE, BROKEN] * 50)


def test_one_error_names_the_first_failures_and_how_many_more_there_are() -> None:
    failures = [Failure(f"s3://shop/{number}.png", JobFailedError("failed")) for number in range(1000)]
    error = error_of(failures, 1005, "pictures")
    assert isinstance(error, PartialFailureError)
    assert str(error).startswith("1,000 of 1,005 pictures failed; the others are kept and not paid for again. ")
    assert str(error).endswith("input='s3://shop/4.png': failed; and 995 more")
    assert not error.retryable
    assert error_of([*failures, LATE], 2000, "pictures").retryable  # type: ignore[attr-defined]


def test_a_line_on_a_failure_is_short() -> None:
    shown = Failure("s3://shop/" + "a" * 500, JobFailedError("b" * 5000)).shown
    assert len(shown) < 450
    assert " failed: bbb" in shown
