"""The pictures of an earlier batch are listed while the items are, and only then."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.operators.bases.batch_plan import BatchPlan
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage import listing
from airflow_claid.storage.listing import Inventory
from tests.conftest import Connect
from tests.unit.operators.conftest import NewTry


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were listed ahead."""
    listed: list[str] = []
    list_now = Inventory.list_now

    def noted(inventory: Inventory) -> None:
        listed.append(inventory._folder)
        list_now(inventory)

    monkeypatch.setattr(Inventory, "list_now", noted)
    return listed


def batch(folder: Path, **parameters: Any) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(
        task_id="b", prompts=["A red lamp", "A blue lamp"], output=f"file://{folder}/out/", **parameters
    )


def until_listed_ahead() -> None:
    for thread in threading.enumerate():
        if thread.name == "claid-listing":
            thread.join(30)


@pytest.mark.parametrize("regenerate", [False, True])
def test_only_a_batch_that_may_use_earlier_pictures_lists_them_ahead(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, listings: list[str], regenerate: bool
) -> None:
    assert new_try()(batch(tmp_path))["done"] == 2
    until_listed_ahead()
    assert listings == []
    assert new_try(run_id="tuesday")(batch(tmp_path, regenerate=regenerate))["reused"] == (0 if regenerate else 2)
    until_listed_ahead()
    assert listings == ([] if regenerate else [f"file://{tmp_path}/out/"])


def test_the_thread_that_lists_ahead_asks_airflow_for_no_connection(
    sandbox: Sandbox, new_try: NewTry, s3: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow 3.1 mixes up the answers of two threads that ask at the same time."""
    asked: list[tuple[str, bool]] = []
    get = Connection.get.__func__
    run = {"prompts": ["A red lamp"], "output": f"{s3}/out/", "manifest": f"file://{tmp_path}/m.jsonl"}

    def noted(cls: Any, conn_id: str) -> Any:
        asked.append((conn_id, threading.current_thread() is threading.main_thread()))
        return get(cls, conn_id)

    assert new_try()(ImageGenerationBatchOperator(task_id="b", **run))["done"] == 1
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    monkeypatch.setattr(Connection, "get", classmethod(noted))
    total = BatchPlan.total.func
    monkeypatch.setattr(BatchPlan, "total", property(lambda plan: (until_listed_ahead(), total(plan))[1]))
    assert new_try(run_id="tuesday")(ImageGenerationBatchOperator(task_id="b", **run))["reused"] == 1
    assert set(asked) == {("claid_default", True), ("moto", True)}


@pytest.mark.parametrize("fails", [(0,), (0, 1)], ids=["ahead", "each time"])
def test_a_listing_that_fails_ahead_is_made_again_and_none_is_taken_for_an_empty_folder(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: tuple[int, ...]
) -> None:
    assert new_try()(batch(tmp_path))["done"] == 2
    infos, open_manifest = listing._infos, ImageGenerationBatchOperator._open_manifest
    listed = []

    def failing(folder: str, **options: Any) -> Any:
        if folder.endswith("/out/"):
            listed.append(folder)
            if len(listed) - 1 in fails:
                raise PermissionError("not now")
        return infos(folder, **options)

    def after_the_listing(operator: ImageGenerationBatchOperator, plan: Any) -> Any:
        until_listed_ahead()
        return open_manifest(operator, plan)

    monkeypatch.setattr(listing, "_infos", failing)
    monkeypatch.setattr(ImageGenerationBatchOperator, "_open_manifest", after_the_listing)
    run = new_try(run_id="tuesday")
    if fails == (0,):
        assert run(batch(tmp_path))["reused"] == 2
    else:
        with pytest.raises(Exception, match="not now"):
            run(batch(tmp_path))
    assert len(listed) == 2
    assert sandbox.charged() == 2
