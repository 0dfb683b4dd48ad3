"""What the quota in the answers to polls says."""

from __future__ import annotations

import pytest

from airflow_claid.account_check.assumption import Outcome
from airflow_claid.account_check.evidence import Evidence, Exchange, Step
from airflow_claid.account_check.quota import compared_polls


def polls(*remaining: int, in_force: str = "120") -> Evidence:
    """Polls of one job, and what each said was left."""
    evidence = Evidence()
    for number, left in enumerate(remaining):
        headers = {
            "ratelimit-limit": f"{in_force}, 120;w=60, 4;w=1",
            "ratelimit-remaining": str(left),
            "ratelimit-reset": "60",
        }
        step = Step.NO_JOB_AGAIN if number else Step.NO_JOB
        evidence.exchanges.append(Exchange(step, "get_edit", 404, headers, "json", {}, 0.1, "2026-11-26T12:00:00"))
    return evidence


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        pytest.param(polls(119, 118), Outcome.AGREES, id="less"),
        pytest.param(polls(119, 119, 119), Outcome.DIFFERS, id="never less"),
        pytest.param(polls(100, 119, 119, 119), Outcome.DIFFERS, id="never less but once more"),
        pytest.param(polls(119, 119), None, id="once as much"),
        pytest.param(polls(100, 100, 99), Outcome.AGREES, id="an old request dropped out"),
        pytest.param(polls(100, 103, 102), Outcome.AGREES, id="many old requests dropped out"),
        pytest.param(polls(3, 3, 3, 3, in_force="4"), None, id="a short window"),
    ],
)
def test_polls_count_if_one_left_less_and_do_not_if_two_left_as_much(
    evidence: Evidence, outcome: Outcome | None
) -> None:
    found = compared_polls(evidence)
    assert (found and found.outcome) is outcome
