"""An account that answers as documented: all agrees, and what is paid is paid once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.account_check.assumption import Outcome
from airflow_claid.account_check.check import GROUPS, Result
from airflow_claid.operators import ImageEditOperator, ImageGenerationBatchOperator
from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import wait_until
from tests.unit.account_check.conftest import Check
from tests.unit.operators.conftest import NewTry, new_try  # noqa: F401 - a fixture


def found(result: Result, outcome: Outcome) -> dict[str, str]:
    return {one.name: finding.seen for _, one, finding in result.findings if finding.outcome is outcome}


def test_the_free_part_agrees_and_costs_nothing(check: Check, account: Sandbox) -> None:
    result = check()
    assert found(result, Outcome.DIFFERS) == found(result, Outcome.NOTE) == {}
    assert {group.title for group, _, finding in result.findings if finding.outcome is Outcome.NOT_TRIED} == {
        group.title for group in GROUPS if group.paid
    }
    assert result.exit_status == 0
    assert result.spent == account.charged() == 0


def test_links_agree_and_a_second_check_pays_nothing(check: Check, account: Sandbox) -> None:
    first, second = check(spend=2), check(spend=2)
    for result in (first, second):
        assert found(result, Outcome.DIFFERS) == {}
        assert set(found(result, Outcome.NOTE)) == {"links-ranges"}
        assert set(found(result, Outcome.NOT_TRIED)) == {one.name for one in GROUPS[-1].assumptions}
        assert result.exit_status == 0
    assert (first.spent, second.spent, account.charged()) == (2, 0, 2)


def test_a_connected_storage_agrees_and_a_second_check_pays_nothing(check: Check, account: Sandbox) -> None:
    first, second = check(spend=2, storage="shop"), check(spend=2, storage="shop")
    for result in (first, second):
        assert found(result, Outcome.DIFFERS) == found(result, Outcome.NOTE) == {}
        assert set(found(result, Outcome.NOT_TRIED)) == {
            one.name for group in GROUPS if group.title == "Links to pictures" for one in group.assumptions
        }
    assert (first.spent, second.spent, account.charged()) == (2, 0, 2)


def test_a_second_check_pays_nothing_where_the_first_was_killed_before_it_noted_anything(
    check: Check, account: Sandbox, tmp_path: Path
) -> None:
    check(spend=2)
    (notes,) = (tmp_path / "check" / "_claid").glob("account-check-*.json")
    notes.unlink()
    result = check(spend=2)
    assert account.charged() == 2
    assert result.finding("generation-read").outcome is Outcome.AGREES
    assert result.finding("edit-read").outcome is Outcome.NOT_TRIED


def test_one_credit_pays_for_the_generation_and_not_for_the_edit(check: Check, account: Sandbox) -> None:
    result = check(spend=1)
    assert account.charged() == result.spent == 1
    assert result.finding("generation-read").outcome is Outcome.AGREES
    assert result.finding("edit-read").seen == "it costs 1 credit more than the check may spend"


def test_a_job_that_failed_is_not_paid_again(check: Check, account: Sandbox) -> None:
    account.fault("job_error", operation="submit_edit")
    first, second = check(spend=2), check(spend=2)
    for result in (first, second):
        assert result.finding("edit-read").seen == "JobFailedError"
        assert "Another `--output`" in str(result.finding("edit-read").cure)
    assert account.charged() == 2


def test_an_answer_that_is_lost_is_not_paid_again(check: Check, account: Sandbox) -> None:
    account.fault("cut", operation="generate_image", charged=True)
    first, second = check(spend=2), check(spend=2)
    assert account.charged() == 1
    assert first.in_doubt == 1
    assert first.finding("generation-read").seen == "ClaidAnswerLostError"
    assert second.finding("generation-read").seen == "LostAnswerError"
    assert {first.exit_status, second.exit_status} == {1}


def test_an_answer_that_is_lost_is_found_in_a_connected_storage(check: Check, account: Sandbox) -> None:
    account.fault("cut", operation="generate_image", charged=True)
    check(spend=2, storage="shop")
    result = check(spend=2, storage="shop")
    assert result.finding("generation-read").outcome is Outcome.AGREES
    assert account.charged() == 2


@pytest.mark.unproven
def test_a_batch_after_a_check_sends_at_full_width_from_the_start(
    check: Check,
    account: Sandbox,
    tmp_path: Path,
    new_try: NewTry,  # noqa: F811
    connect: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    account.change(quota="6000/60,100/1")
    output = f"file://{tmp_path}/out/"
    assert check(spend=2, output=output).exit_status == 0
    assert caplog.text.count("goes alone") == 2
    monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())  # the batch runs in a process of its own
    account.fault("hold", operation="generate_image", count=9)
    batch = ImageGenerationBatchOperator(
        task_id="b", prompts=[f"Lamp number {count}" for count in range(9)], output=output, concurrency=16
    )
    connect("claid_default", conn_type="claid", password=account.api_key, host=account.url)
    run_try = new_try()
    connect("claid_default", conn_type="claid", password=account.api_key, host=account.url)
    run = threading.Thread(target=lambda: run_try(batch))
    run.start()
    try:
        wait_until(lambda: account.held == 9, seconds=60)
    finally:
        account.clear_faults()
        account.release()
        run.join(30)
    link = account.ledger("generate_image")[0].pictures[0]
    run_try(ImageEditOperator(task_id="e", input=link, operations={"resizing": {"width": 64}}, output=output))
    assert caplog.text.count("goes alone") == 2


@pytest.mark.unproven
def test_an_answer_that_cannot_be_read_proves_nothing(
    check: Check, account: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    account.dialect(operation="generate_image", without="data.output")
    assert check(spend=2).exit_status == 1
    proofs = [file.read_text() for file in (tmp_path / "check").rglob("_claid/proof/*.json")]
    assert len(proofs) == 1
    assert '"proven": false' in proofs[0]
