from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_claid.fulfilment.deferred import DeferredFailure, DeferredOrder, DeferredState
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState

RECEIPT = Receipt(
    fingerprint="f" * 64,
    state=ReceiptState.SUBMITTED,
    author=Author("shop", "monday", "pictures"),
    operation="edit_image",
    base_url="https://api.claid.ai/v1",
    subject="s3://shop/a.png",
    body={"input": "s3://shop/a.png"},
    output="s3://shop/out/",
    name="a",
    job_id=7,
)
STATE = DeferredState(
    deadline=datetime(2026, 11, 25, 6, tzinfo=timezone.utc),
    begun=(DeferredOrder(RECEIPT, 1.0, datetime(2026, 11, 25, 5, tzinfo=timezone.utc)),),
    failed=(DeferredFailure("s3://shop/b.png", "Claid refused it", retryable=False),),
    spent=2.0,
    parameters={"operations": {"resizing": {"width": 8}}},
)


def as_airflow_keeps_it(state: DeferredState) -> Any:
    return json.loads(json.dumps(state.to_json()))


def test_it_is_read_as_it_was_written() -> None:
    assert DeferredState.from_json(as_airflow_keeps_it(STATE)) == STATE


def test_one_that_was_kept_by_an_earlier_version_has_one_deadline_for_all() -> None:
    facts = as_airflow_keeps_it(STATE)
    del facts["begun"][0]["deadline"]
    for name in ("credits", "of_all"):
        del facts["failed"][0][name]
    state = DeferredState.from_json(facts)
    assert state.begun[0].deadline == STATE.deadline
    assert state.failed == STATE.failed


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_another_version_is_refused(version: object) -> None:
    facts = {**as_airflow_keeps_it(STATE), "version": version}
    with pytest.raises(ValueError, match="version"):
        DeferredState.from_json(facts)


@pytest.mark.parametrize("name", ["deadline", "begun", "failed", "spent", "parameters"])
def test_a_state_that_lacks_something_is_refused(name: str) -> None:
    facts = as_airflow_keeps_it(STATE)
    del facts[name]
    with pytest.raises(ValueError, match="lacks"):
        DeferredState.from_json(facts)


def test_a_receipt_of_a_newer_version_is_refused() -> None:
    facts = as_airflow_keeps_it(STATE)
    facts["begun"][0]["receipt"]["version"] = 99
    with pytest.raises(ValueError, match="upgrade"):
        DeferredState.from_json(facts)
