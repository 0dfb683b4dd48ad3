from __future__ import annotations

from typing import Any

import pytest

from airflow_claid.client import (
    ClaidMissingConnectionError,
    ClaidRateLimitError,
    ClaidScopeError,
    ClaidServerError,
    ClaidValidationError,
)
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError
from airflow_claid.waiting.decision import PATIENCE, WaitState
from airflow_claid.waiting.pictures import Poll, Watch, decide

WATCH = Watch("s3://shop/spring/", 2)
TWO = Poll(("s3://shop/spring/a.png", "s3://shop/spring/b.png"))
ONE = Poll(TWO.usable[:1], blocked=1, unfinished=2, others=3)
PASSING = (OSError("slow"), DownloadFailedError("cut"), ClaidServerError("no"), PermissionError("no"))
LASTING = (
    ClaidValidationError("not mapped"),
    ClaidScopeError("no"),
    DownloadRefusedError("host"),
    ClaidMissingConnectionError("conn"),
)


@pytest.mark.parametrize("overdue", [False, True])
@pytest.mark.parametrize("failures", [0, PATIENCE - 1])
def test_enough_good_images_end_the_wait_whenever_they_are_seen(overdue: bool, failures: int) -> None:
    decision = decide(WATCH, TWO, failures=failures, overdue=overdue)
    assert (decision.state, decision.paths) == (WaitState.ENDED, TWO.usable)


def test_more_than_enough_are_all_given() -> None:
    assert decide(Watch("s3://shop/spring/", 1), TWO).paths == TWO.usable


def test_too_few_are_waited_for_until_the_time_is_over() -> None:
    waiting = decide(WATCH, ONE, failures=PATIENCE - 1)
    assert (waiting.state, waiting.failures, waiting.paths) == (WaitState.WAIT, 0, ())
    assert decide(WATCH, ONE, overdue=True).state is WaitState.TIMED_OUT


def test_the_message_tells_what_is_there_and_why_it_does_not_count() -> None:
    assert decide(WATCH, ONE).message == (
        "1 of 2 usable images at s3://shop/spring/ (and 1 blocked by the content filter, 2 not whole, 3 no picture)"
    )
    assert decide(Watch("https://dl.claid.ai/a.png?signature=x"), Poll()).message == (
        "0 of 1 usable images at https://dl.claid.ai/a.png"
    )


@pytest.mark.parametrize("error", PASSING)
def test_a_passing_failure_is_tried_again_until_it_is_the_fifth_in_a_row(error: Exception) -> None:
    failures = 0
    for _ in range(PATIENCE - 1):
        decision = decide(WATCH, error, failures=failures)
        assert decision.state is WaitState.WAIT
        failures = decision.failures
    last = decide(WATCH, error, failures=failures)
    assert last.state is WaitState.UNREACHABLE
    assert f"{type(error).__name__}: {error} (failed polls in a row: 5; the wait ends at 5)" in last.message


def test_a_poll_that_succeeds_ends_the_count() -> None:
    assert decide(WATCH, OSError("slow"), failures=decide(WATCH, ONE, failures=4).failures).failures == 1


def test_a_used_up_quota_is_no_failure() -> None:
    decision = decide(WATCH, ClaidRateLimitError("used up", retry_after=9), failures=PATIENCE - 1)
    assert (decision.state, decision.failures) == (WaitState.WAIT, PATIENCE - 1)


def test_a_failure_when_the_time_is_over_is_a_timeout() -> None:
    assert decide(WATCH, OSError("slow"), overdue=True).state is WaitState.TIMED_OUT


def test_where_nothing_can_be_remembered_the_first_failure_ends_the_wait() -> None:
    assert decide(WATCH, OSError("slow"), patience=1).state is WaitState.UNREACHABLE


@pytest.mark.parametrize("error", LASTING)
def test_a_lasting_failure_ends_the_wait_at_once(error: Exception) -> None:
    assert decide(WATCH, error).state is WaitState.REFUSED


@pytest.mark.parametrize(
    ("output", "number", "remedy"),
    [
        ("", 1, "must be a folder or file"),
        (None, 1, "must be a folder or file"),
        (["s3://a/"], 1, "must be a folder or file"),
        ("/srv/a", 1, "use 'file:///srv/a/'"),
        ("storage://shop/spring", 1, "use 'storage://shop/spring/'"),
        ("storage:///spring/", 1, "names no connected storage"),
        ("s3://shop/../x/", 1, "must not climb"),
        ("ftp://shop/x/", 1, "use s3://"),
        ("s3://shop/a/", 0, "1 or more"),
        ("s3://shop/a/", "two", "1 or more"),
        ("s3://shop/a/", True, "1 or more"),
        ("s3://shop/a.png", 2, "wait for the folder"),
        ("https://dl.claid.ai/a.png", 2, "is one picture"),
    ],
)
def test_a_watch_that_makes_no_sense_is_refused(output: Any, number: Any, remedy: str) -> None:
    with pytest.raises(ClaidValidationError, match=remedy):
        Watch.of(output, number)


def test_outputs_of_every_kind_are_taken() -> None:
    for output in ("storage://shop/a/", "storage://shop/a.png", "s3://c@b/a", "gs://b/a/", "file:///srv/a.jpg"):
        assert Watch.of(f" {output} ").output == output
    assert Watch.of("https://dl.claid.ai/a").is_link
