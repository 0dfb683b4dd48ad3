"""A folder that becomes read-only between the intent and the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.sandbox import Sandbox
from tests.unit.operators.conftest import NewTry, StateStore


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    fulfilment = ClaidPayingOperator._fulfilment

    def without_pauses(self: ClaidPayingOperator, context: Any, spent: float = 0.0) -> Fulfilment:
        return replace(fulfilment(self, context, spent), sleep=lambda _: None)

    monkeypatch.setattr(ClaidPayingOperator, "_fulfilment", without_pauses)


@pytest.fixture
def _read_only_after_the_intent(monkeypatch: pytest.MonkeyPatch) -> None:
    write = FolderReceipts.write

    def refuse(self: FolderReceipts, receipt: Receipt, *, replace: bool = False) -> None:
        if self._folder.endswith("/out/_claid/"):
            raise PermissionError(13, "Permission denied")
        write(self, receipt, replace=replace)

    monkeypatch.setattr(FolderReceipts, "write", refuse)


@pytest.mark.usefixtures("_read_only_after_the_intent")
@pytest.mark.parametrize("remembers", [True, False], ids=["Airflow 3.3", "before"])
@pytest.mark.parametrize("run_id", ["monday", "tuesday"], ids=["a retry", "another run"])
def test_the_answer_is_kept_elsewhere_and_nothing_is_paid_again(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, remembers: bool, run_id: str
) -> None:
    def operator() -> ImageGenerationOperator:
        return ImageGenerationOperator(
            task_id="pictures", prompt="A lamp", number_of_images=2, output=f"file://{tmp_path}/out/"
        )

    delivered = new_try(remembers=remembers)(operator())
    run = new_try(remembers=remembers, run_id=run_id, try_number=2)
    assert run(operator()) == delivered
    assert len(delivered) == 2
    assert run.credits == 0
    assert sandbox.charged() == 2


@pytest.mark.usefixtures("_read_only_after_the_intent")
def test_a_batch_pays_for_each_prompt_once(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    for try_number in (1, 2):
        run = new_try(try_number=try_number)
        operator = ImageGenerationBatchOperator(
            task_id="pictures", prompts=["A lamp", "A chair"], output=f"file://{tmp_path}/out/"
        )
        summary = run(operator)
    assert (summary["done"], summary["credits"]) == (2, 0)
    assert sandbox.charged() == 2


def test_a_task_state_that_takes_no_answer_is_followed_by_a_file_on_this_machine(
    sandbox: Sandbox, new_try: NewTry, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = StateStore.set

    def refuse(self: StateStore, key: str, value: Any) -> None:
        if "intent" not in str(value):
            raise ConnectionError("the API server is away")
        write(self, key, value)

    monkeypatch.setattr(StateStore, "set", refuse)
    paths = new_try()(ImageGenerationOperator(task_id="pictures", prompt="A lamp"))
    run = new_try(try_number=2)
    assert run(ImageGenerationOperator(task_id="pictures", prompt="A lamp")) == paths
    assert run.credits == 0
    assert sandbox.charged() == 1
