from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client import (
    ClaidMissingConnectionError,
    ClaidRateLimitError,
    ClaidServerError,
    ClaidValidationError,
)
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError
from airflow_claid.waiting.decision import PATIENCE, Decision, WaitState

PASSING = (ClaidServerError("it answered 500"), DownloadFailedError("cut"), OSError("the network is gone"))
LASTING = (ClaidMissingConnectionError("no"), ClaidValidationError("not mapped"), DownloadRefusedError("host"))
QUOTA = ClaidRateLimitError("used up", retry_after=9)


def after(error: Exception, *, failures: int = 0, overdue: bool = False, patience: int = PATIENCE) -> Decision:
    return Decision.after_failure("The job", error, failures=failures, overdue=overdue, patience=patience)


def test_what_has_come_ends_the_wait_also_after_its_time() -> None:
    assert WaitState.after_poll(ended=True, overdue=False) is WaitState.ENDED
    assert WaitState.after_poll(ended=True, overdue=True) is WaitState.ENDED
    assert WaitState.after_poll(ended=False, overdue=False) is WaitState.WAIT
    assert WaitState.after_poll(ended=False, overdue=True) is WaitState.TIMED_OUT


@pytest.mark.parametrize("error", PASSING)
def test_so_many_failures_in_a_row_as_there_is_patience_end_the_wait(error: Exception) -> None:
    decisions = [after(error, failures=failures) for failures in range(PATIENCE)]
    assert [one.state for one in decisions] == [WaitState.WAIT] * (PATIENCE - 1) + [WaitState.UNREACHABLE]
    assert [one.failures for one in decisions] == list(range(1, PATIENCE + 1))
    assert after(error, patience=1).state is WaitState.UNREACHABLE
    assert decisions[0].message == (
        f"The job could not be polled: {type(error).__name__}: {error} (failed polls in a row: 1; the wait ends at 5)"
    )


@pytest.mark.parametrize("error", LASTING)
@pytest.mark.parametrize("overdue", [False, True])
def test_what_lasts_is_refused_at_once(error: Exception, overdue: bool) -> None:
    decision = after(error, overdue=overdue)
    assert (decision.state, decision.final, decision.error) == (WaitState.REFUSED, True, error)


@given(failures=st.integers(0, PATIENCE - 1), patience=st.integers(PATIENCE, 9))
def test_a_used_up_quota_is_no_failure(failures: int, patience: int) -> None:
    decision = after(QUOTA, failures=failures, patience=patience)
    assert (decision.state, decision.failures) == (WaitState.WAIT, failures)
    assert "in a row" not in decision.message


@pytest.mark.parametrize("error", [*PASSING, QUOTA])
def test_a_failure_when_the_time_is_over_ends_the_wait_as_too_late(error: Exception) -> None:
    decision = after(error, overdue=True)
    assert (decision.state, decision.final, decision.error) == (WaitState.TIMED_OUT, False, error)
