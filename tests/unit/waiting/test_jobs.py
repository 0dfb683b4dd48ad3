from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client import (
    ClaidAnswerLostError,
    ClaidAuthenticationError,
    ClaidError,
    ClaidMissingConnectionError,
    ClaidNotSentError,
    ClaidRateLimitError,
    ClaidRequestError,
    ClaidServerError,
    ClaidValidationError,
    Job,
    JobKind,
)
from airflow_claid.errors import JobFailedError, JobGoneError, JobTimeoutError
from airflow_claid.waiting.decision import PATIENCE, WaitState
from airflow_claid.waiting.jobs import JobDecision, decide, job_ids, job_kind, pause

NAME = "Job 7 (edit)"
IN_PROGRESS = ("ACCEPTED", "WAITING", "PROCESSING", "PAUSED", "SOMETHING_NEW")
PASSING = (
    ClaidServerError("it answered 500", status=500),
    ClaidNotSentError("no connection"),
    ClaidAnswerLostError("cut"),
    OSError("the network is gone"),
)


def job(status: str, *, outputs: int = 0, errors: tuple[str, ...] = ()) -> Job:
    picture = {"ext": "png", "mps": 1.0, "mime": "image/png", "format": "PNG", "width": 9, "height": 9}
    made = [{"output_object": {**picture, "tmp_url": f"https://dl.claid.ai/{n}.png"}} for n in range(outputs)]
    said = [{"error": text} for text in errors]
    return Job.of(JobKind.BATCH_EDIT, {"id": 7, "status": status, "results": made, "errors": said})


@pytest.mark.parametrize("status", IN_PROGRESS)
def test_a_job_in_progress_is_waited_for_until_the_time_is_over(status: str) -> None:
    decision = decide(NAME, job(status), failures=4)
    assert (decision.state, decision.failures, decision.final) == (WaitState.WAIT, 0, False)
    assert f"is {status}" in decision.message
    decision.raise_if_fruitless()
    overdue = decide(NAME, job(status), overdue=True)
    assert overdue.state is WaitState.TIMED_OUT
    with pytest.raises(JobTimeoutError, match=f"is {status}.* goes on and is paid, and the next try waits for it"):
        overdue.raise_if_fruitless()


def test_a_status_that_nobody_knows_is_named_as_such() -> None:
    assert "a status that this version does not know" in decide(NAME, job("SOMETHING_NEW")).message
    assert "does not know" not in decide(NAME, job("PAUSED")).message


@pytest.mark.parametrize("overdue", [False, True])
def test_a_job_that_made_something_ends_the_wait_also_after_its_time(overdue: bool) -> None:
    decision = decide(NAME, job("DONE", outputs=2), overdue=overdue)
    assert (decision.state, decision.succeeded, decision.final) == (WaitState.ENDED, True, True)
    decision.raise_if_fruitless()


@pytest.mark.parametrize("status", ["DONE", "ERROR", "CANCELLED"])
def test_a_job_that_made_nothing_ends_the_wait_with_claids_reasons(status: str) -> None:
    decision = decide(NAME, job(status, errors=("the input is gone: https://x.test/a.png?signature=s3cret",)))
    assert (decision.state, decision.succeeded) == (WaitState.ENDED, False)
    with pytest.raises(
        JobFailedError, match=f"{NAME.replace('(', '.').replace(')', '.')} ended as {status} without"
    ) as failed:
        decision.raise_if_fruitless()
    assert "the input is gone" in str(failed.value)
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("error", PASSING)
def test_polls_that_fail_for_passing_reasons_end_the_wait_at_the_fifth_in_a_row(error: Exception) -> None:
    decision = JobDecision(WaitState.WAIT, "")
    for count in range(1, PATIENCE):
        decision = decide(NAME, error, failures=decision.failures)
        assert (decision.state, decision.failures) == (WaitState.WAIT, count)
    assert decide(NAME, job("PROCESSING"), failures=decision.failures).failures == 0
    decision = decide(NAME, error, failures=decision.failures)
    assert decision.state is WaitState.UNREACHABLE
    with pytest.raises(type(error)):
        decision.raise_if_fruitless()


@given(failures=st.integers(0, PATIENCE - 1))
def test_a_used_up_quota_is_no_failure(failures: int) -> None:
    decision = decide(NAME, ClaidRateLimitError("used up", retry_after=9), failures=failures)
    assert (decision.state, decision.failures) == (WaitState.WAIT, failures)


@pytest.mark.parametrize("error", [*PASSING, ClaidRateLimitError("used up", retry_after=9)])
def test_the_time_is_over_also_where_polls_fail(error: Exception) -> None:
    with pytest.raises(JobTimeoutError, match="could not be polled"):
        decide(NAME, error, overdue=True).raise_if_fruitless()


@pytest.mark.parametrize(
    "error",
    [
        ClaidAuthenticationError("wrong key", status=401),
        ClaidRequestError("unreadable", status=422),
        ClaidValidationError("no key"),
        ClaidMissingConnectionError("no such connection"),
    ],
)
def test_what_no_waiting_cures_ends_it_at_once(error: Exception) -> None:
    decision = decide(NAME, error)
    assert (decision.state, decision.final) == (WaitState.REFUSED, True)
    with pytest.raises(type(error)):
        decision.raise_if_fruitless()


def test_a_job_that_claid_does_not_know_is_gone_and_was_paid() -> None:
    decision = decide(NAME, ClaidRequestError("answered 404", status=404))
    with pytest.raises(JobGoneError, match="It was paid; check base URL and API key, or run with regenerate=True"):
        decision.raise_if_fruitless()


polls = st.one_of(
    st.builds(job, st.sampled_from([*IN_PROGRESS, "DONE", "ERROR", "CANCELLED"]), outputs=st.integers(0, 2)),
    st.sampled_from([*PASSING, ClaidRateLimitError("used up", retry_after=1), ClaidRequestError("no", status=404)]),
)


@given(polled=polls, failures=st.integers(0, 4), overdue=st.booleans())
def test_every_poll_leads_to_one_of_success_an_error_or_another_poll(
    polled: Job | Exception, failures: int, overdue: bool
) -> None:
    decision = decide(NAME, polled, failures=failures, overdue=overdue)
    assert NAME in decision.message
    assert not (overdue and decision.state is WaitState.WAIT)
    raised: Exception | None = None
    try:
        decision.raise_if_fruitless()
    except (ClaidError, JobFailedError, JobTimeoutError, OSError) as error:
        raised = error
    assert (raised is None) == (decision.succeeded or decision.state is WaitState.WAIT)
    assert not (decision.succeeded and decision.state is WaitState.WAIT)


@given(count=st.integers(0, 10_000), interval=st.floats(0, 1e5), left=st.floats(0, 1e6))
def test_a_pause_is_never_longer_than_the_interval_or_what_is_left(count: int, interval: float, left: float) -> None:
    seconds = pause(count, interval, left)
    assert 0 <= seconds <= min(max(interval, 0.05), left)


def test_pauses_double_up_to_the_interval_and_differ() -> None:
    longest = [max(pause(count, 8.0, 1e9) for _ in range(300)) for count in range(6)]
    assert [round(seconds) for seconds in longest] == [1, 2, 4, 8, 8, 8]
    many = [pause(9, 8.0, 1e9) for _ in range(300)]
    assert len(set(many)) > 290
    assert min(many) >= 6.4


class Results:
    """What Airflow gives for the results of a mapped task: it only behaves like a list."""

    def __getitem__(self, index: int) -> Any:
        return [[41], [42]][index]

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize("value", [[41, 42], (41, "42"), "[41, 42]", "['41', '42']", " [[41], [42, 41]]\n", Results()])
def test_job_ids_are_read_in_every_form_that_a_dag_gives_them(value: object) -> None:
    assert job_ids(value, "job_id") == [41, 42]
    assert job_ids("41", "job_id") == job_ids(41, "job_id") == job_ids(" 41 ", "job_id") == [41]


@pytest.mark.parametrize(
    "value", [None, "None", "", "[]", [], "{{ x }}", True, 4.5, [None], "job 4", {"id": 4}, [b"4"], -3]
)
def test_what_is_no_job_id_is_refused_by_name(value: object) -> None:
    with pytest.raises(ClaidValidationError, match=r"^job_id=.* must be the id of a job, or a list"):
        job_ids(value, "job_id")


@pytest.mark.parametrize("value", ["edits", "", None, 3])
def test_what_is_no_kind_of_job_is_refused_with_the_kinds_that_there_are(value: object) -> None:
    with pytest.raises(
        ClaidValidationError, match=r"kind=.* must be one of edit, batch_edit, ai_edit, fashion_model, video\."
    ):
        job_kind(value, "kind")
    assert job_kind("video", "kind") is JobKind.VIDEO
