from __future__ import annotations

from typing import Any

import pytest

from airflow_claid.waiting.decision import PATIENCE
from airflow_claid.waiting.failure_count import FailureCount
from tests.unit.operators.conftest import StateStore


def test_a_wait_in_one_process_counts_by_itself() -> None:
    count = FailureCount()
    count.keep(3)
    assert (count.failures, count.patience) == (3, PATIENCE)
    assert FailureCount().failures == 0


def test_a_wait_in_several_processes_counts_in_airflows_memory() -> None:
    memory: dict[str, Any] = {}
    FailureCount.between_processes(StateStore(memory)).keep(3)
    count = FailureCount.between_processes(StateStore(memory))
    assert (count.failures, count.patience) == (3, PATIENCE)
    count.keep(0)
    assert FailureCount.between_processes(StateStore(memory)).failures == 0


def test_where_nothing_can_be_remembered_the_first_failure_is_the_last() -> None:
    count = FailureCount.between_processes(None)
    assert (count.failures, count.patience) == (0, 1)


@pytest.mark.parametrize("kept", [None, "3", {"failures": 3}])
def test_what_is_no_number_counts_as_none(kept: object) -> None:
    assert FailureCount.between_processes(StateStore({"claid_sensor_failures": kept})).failures == 0
