"""Proof before many: while no answer of an operation could be used, no more than two requests are paid for."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_claid.client import ClaidClient
from airflow_claid.client.calls import group_of
from airflow_claid.client.models.jobs import JobKind
from airflow_claid.client.quota.pacing import seconds_needed
from airflow_claid.client.quota.quota import Quota
from airflow_claid.client.quota.rate_limits import (
    DEFAULT_POLICIES,
    DEFAULTS,
    Group,
    Policy,
    RateLimit,
    policies_in,
)
from airflow_claid.fulfilment.proof import Proof
from airflow_claid.fulfilment.proof_records import FolderProof
from airflow_claid.operators import ImageEditOperator, ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.dialects import UNREADABLE, said
from tests.unit.operators.conftest import NewTry, new_try  # noqa: F401 - a fixture

pytestmark = pytest.mark.unproven

SMALL = {"resizing": {"width": 64, "height": 64, "fit": "bounds"}}


def batch(folder: Path, number: int = 200, **parameters: Any) -> ImageGenerationBatchOperator:
    prompts = [f"Lamp number {count}" for count in range(number)]
    return ImageGenerationBatchOperator(
        task_id="b", prompts=prompts, output=f"file://{folder}/out/", concurrency=16, **parameters
    )


def paid(sandbox: Sandbox, operation: str = "generate_image") -> int:
    return sum(entry.credits > 0 for entry in sandbox.ledger() if entry.operation == operation)


@pytest.mark.parametrize("dialect", UNREADABLE)
def test_a_batch_that_cannot_read_the_answers_pays_for_two_at_most_in_three_tries(
    dialect: str,
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.dialect(**said(dialect))
    after_each_try = []
    for number in (1, 2, 3):
        monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())  # each try is a process of its own
        with pytest.raises(AirflowFailException, match="could not be read"):
            new_try(try_number=number)(batch(tmp_path))
        after_each_try.append(paid(sandbox))
    assert after_each_try == [1, 2, 2]
    sandbox.clear_dialects()
    monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())
    with pytest.raises(AirflowFailException, match=r"nothing more is charged"):
        new_try(try_number=4)(batch(tmp_path))
    assert paid(sandbox) == 2


def test_a_batch_whose_pictures_may_not_be_downloaded_goes_on_when_they_may(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.dialect(operation="generate_image", links="{link}?sig=hush", count=2)
    monkeypatch.setattr("airflow_claid.delivery.download_rules.DownloadRules.check", _refuse_signed)
    for number in (1, 2, 3):
        with pytest.raises(AirflowFailException, match="signed"):
            new_try(try_number=number)(batch(tmp_path, 40))
    assert paid(sandbox) == 2
    monkeypatch.undo()
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    summary = new_try(try_number=4)(batch(tmp_path, 40))
    assert summary["done"] == 40
    assert paid(sandbox) == 40


def _refuse_signed(rules: object, url: str) -> None:
    from airflow_claid.errors import DownloadRefusedError

    raise DownloadRefusedError("a signed link of a host that is not listed")


def test_the_first_request_goes_alone_and_then_all_others_together(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
) -> None:
    sandbox.fault("hold", operation="generate_image", count=9)
    run = threading.Thread(target=lambda: new_try()(batch(tmp_path, 9)))
    run.start()
    pause = threading.Event()
    seen = []
    for expected in (1, 8):
        while sandbox.held < expected:
            pause.wait(0.02)
        pause.wait(0.5)
        seen.append(sandbox.held)
        sandbox.release()
    run.join(30)
    assert seen == [1, 8]
    assert paid(sandbox) == 9


def test_what_one_task_has_proven_another_need_not(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    assert new_try()(batch(tmp_path, 3))["done"] == 3
    assert caplog.text.count("goes alone") == 1
    monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())
    assert new_try(run_id="tuesday")(batch(tmp_path, 6))["done"] == 6
    assert caplog.text.count("goes alone") == 1
    monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())
    monkeypatch.setattr("airflow_claid.fulfilment.proof.__version__", "99.0")
    assert new_try(run_id="wednesday")(batch(tmp_path, 9))["done"] == 9
    assert caplog.text.count("goes alone") == 2


def in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())
    monkeypatch.setattr("airflow_claid.client.account._quotas", {})


def test_a_later_task_uses_the_whole_quota_before_its_first_answer(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the published default it would send four and then ask what the quota is."""
    in_a_new_process(monkeypatch)
    assert new_try()(batch(tmp_path, 8))["done"] == 8
    asked = [entry.operation for entry in sandbox.ledger()].count("get_edit")
    in_a_new_process(monkeypatch)
    sandbox.fault("hold", operation="generate_image", count=12)
    run = threading.Thread(target=lambda: new_try(run_id="tuesday")(batch(tmp_path, 20)))
    run.start()
    while sandbox.held < 12:
        time.sleep(0.01)
    sandbox.release()
    run.join(30)
    assert paid(sandbox) == 20
    assert [entry.operation for entry in sandbox.ledger()].count("get_edit") == asked


def test_an_estimate_reckons_with_the_quota_that_an_earlier_task_has_learned(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.change(quota="600/60,20/1")
    in_a_new_process(monkeypatch)
    at_the_default = new_try()(batch(tmp_path, 1300, dry_run=True))
    assert new_try()(batch(tmp_path, 1))["done"] == 1
    in_a_new_process(monkeypatch)
    at_the_quota = new_try(run_id="tuesday")(batch(tmp_path, 1301, dry_run=True))
    assert (at_the_default["requests"], at_the_quota["requests"]) == (1300, 1300)
    assert at_the_default["hours"] * 3600 == pytest.approx(seconds_needed(DEFAULT_POLICIES, 1300))
    assert at_the_quota["hours"] * 3600 == pytest.approx(seconds_needed(policies_in("600;w=60, 20;w=1"), 1300))


@pytest.mark.parametrize("kind", [None, JobKind.EDIT, JobKind.AI_EDIT, JobKind.VIDEO])
def test_each_quota_is_remembered_and_what_an_answer_says_counts(
    kind: JobKind | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: Any = SimpleNamespace(answer_form="any", base_url="", fingerprint="f", operation="any", job_kind=kind)
    learned, changed = (RateLimit(policies_in(text), 5, 1.0) for text in ("600;w=60, 20;w=1", "60;w=60, 2;w=1"))

    def new_task() -> tuple[Proof, Quota]:
        in_a_new_process(monkeypatch)
        client = ClaidClient("a-key", "http://127.0.0.1:9")
        return Proof(client, lambda _: (FolderProof(f"file://{tmp_path}/_claid/"),)), client._transport.quota.of(
            group_of(kind)
        )

    proof, quota = new_task()
    assert not proof.is_proven(order)
    assert quota.in_force == DEFAULTS[group_of(kind)]
    quota.observe(learned)
    proof.prove(order)

    proof, quota = new_task()
    assert proof.is_proven(order)
    assert (quota.in_force, quota.confirmed, quota.ask_for_policies()) == (learned.policies, False, False)
    proof.doubt(order, ValueError("unreadable"))

    proof, quota = new_task()
    assert not proof.is_proven(order)
    assert quota.in_force == learned.policies
    proof.prove(order)
    quota.observe(changed)
    proof.prove(order)

    proof, quota = new_task()
    assert proof.is_proven(order)
    assert (quota.in_force, quota.confirmed) == (changed.policies, False)


@pytest.mark.parametrize("kept", ["", "7", "none", "0;w=60", "120;w=60;", "999999999;w=1"])
def test_a_kept_quota_that_cannot_be_read_is_no_quota(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_new_process(monkeypatch)
    with ClaidClient("a-key", "http://127.0.0.1:9") as client:
        quota = client._transport.quota.of(Group.IMAGE)
        client.pace().expect(kept)
        assert quota.in_force in (DEFAULT_POLICIES, (Policy(120, 60),))


def test_the_quota_store_remembers_for_tasks_without_a_folder(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    connect: Connect,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    run = new_try()
    extra = {"quota_store": redis_url}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    for count in (1, 2):
        monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())
        run(ImageGenerationOperator(task_id="t", prompt=f"Lamp number {count}"))
    assert caplog.text.count("goes alone") == 1


@pytest.mark.parametrize(("broken", "paid_in_all"), [("submit_edit", 2), ("get_edit", 2)])
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_list_of_inputs_is_not_submitted_to_a_claid_that_cannot_be_read(
    broken: str,
    paid_in_all: int,
    deferrable: bool,
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs: list[str] = []
    for prompt in ("A blue vase", "A red vase"):
        inputs += new_try()(ImageGenerationOperator(task_id="g", prompt=prompt, number_of_images=4))
    without = ["data.id", "data.result_url"] if broken == "submit_edit" else ["data.result", "data.results"]
    sandbox.dialect(operation=broken, without=without)
    for number in (1, 2, 3):
        monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set())
        operator = ImageEditOperator(
            task_id="e",
            input=inputs,
            operations=SMALL,
            output=f"file://{tmp_path}/out/",
            poll_interval=0.05,
            deferrable=deferrable,
        )
        with pytest.raises(AirflowException, match="could not be read"):
            new_try(try_number=number)(operator)
    assert paid(sandbox, "submit_edit") == paid_in_all


def test_a_change_of_the_answers_in_the_middle_of_a_batch_stops_it_when_two_in_a_row_are_unreadable(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
) -> None:
    sandbox.dialect(**said("no output"), prompt="number 1")
    with pytest.raises(AirflowException, match="could not be read"):
        new_try()(batch(tmp_path, 200, error_threshold=1))
    assert paid(sandbox) <= 100 + 2 * 16 + 16  # what was under way, twice


def test_a_list_goes_on_one_by_one_when_an_answer_of_a_proven_operation_cannot_be_read(
    sandbox: Sandbox,
    new_try: NewTry,  # noqa: F811
    tmp_path: Path,
) -> None:
    inputs: list[str] = []
    for prompt in ("A blue vase", "A red vase", "A green vase"):
        inputs += new_try()(ImageGenerationOperator(task_id="g", prompt=prompt, number_of_images=4))

    def edit(paths: list[str]) -> ImageEditOperator:
        return ImageEditOperator(
            task_id="e", input=paths, operations=SMALL, output=f"file://{tmp_path}/out/", poll_interval=0.05
        )

    assert len(new_try()(edit(inputs[:1]))) == 1
    sandbox.dialect(operation="submit_edit", without=["data.id", "data.result_url"], count=1)
    with pytest.raises(AirflowException, match="could not be read"):
        new_try(run_id="tuesday")(edit(inputs))
    assert len(list((tmp_path / "out").glob("*.jpg"))) == len(inputs) - 1
