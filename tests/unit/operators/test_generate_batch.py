from __future__ import annotations

import csv
import json
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as parquet  # type: ignore[import-untyped]
import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow.sdk import ObjectStoragePath
from airflow.sdk.definitions.template import literal  # airflow.sdk itself has it in later releases of 3.1 only

from airflow_claid.fulfilment import receipt_stores
from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.operators.links import ClaidStorageLink
from airflow_claid.sandbox import Latency, Sandbox
from tests.conftest import Connect, s3_connection
from tests.support.one_attempt import Attempt
from tests.support.processes import free_port
from tests.support.receipt_files import last_state
from tests.unit.operators.conftest import NewTry, TaskRun

PLACES = ("local", "connected", "s3", "landing")


@pytest.fixture
def place(request: pytest.FixtureRequest, sandbox: Sandbox, connect: Connect, tmp_path: Path, new_try: NewTry) -> str:
    """The output of each kind of place, as ``PLACES`` calls them; the Claid connection maps what has to be mapped."""
    kind = request.param
    claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
    if kind == "local":
        return f"file://{tmp_path}/pictures/"
    if kind == "s3":
        return f"{request.getfixturevalue('s3')}/pictures/"
    if kind == "connected":
        sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
        connect("claid_default", **claid, extra={"storages": {"shop": f"file://{tmp_path}"}})
        return "storage://shop/pictures/"
    bucket: str = request.getfixturevalue("s3")
    endpoint = request.getfixturevalue("s3_endpoint")
    keys = {"access_key": "test-key", "secret_access_key": "test-secret"}
    sandbox.connect_storage("shop", bucket=bucket.partition("@")[2], where=endpoint, **keys)
    connect("moto", **s3_connection(endpoint))
    connect("claid_default", **claid, extra={"storages": {"shop": "moto"}})
    return f"{bucket}/pictures/"


@pytest.fixture
def connected(sandbox: Sandbox, connect: Connect, tmp_path: Path, new_try: NewTry) -> str:
    """A connected storage that is a local folder."""
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    return "storage://shop/pictures/"


def lamps(number: int) -> list[str]:
    return [f"Lamp number {count}" for count in range(1, number + 1)]


def batch(**parameters: object) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(**{"task_id": "pictures", "prompts": lamps(3), **parameters})


def rows_of(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ObjectStoragePath(summary["manifest"]).read_bytes().splitlines()]


def rows_in_parts(folder: Path) -> list[dict[str, Any]]:
    parts = sorted(folder.glob("_claid/batches/*/part-*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_bytes().splitlines()]


def paid_by_prompt(sandbox: Sandbox) -> Counter[str]:
    paid: Counter[str] = Counter()
    for entry in sandbox.ledger("generate_image"):
        paid[entry.prompt or ""] += int(entry.credits)
    return paid


def delivered(run: TaskRun, operator: ImageGenerationBatchOperator, path: str) -> bytes:
    address = operator.hook.storages.find_readable_uri(path)
    return ObjectStoragePath(str(address)).read_bytes()


def meanwhile(does: Callable[[], None], once: Callable[[], bool]) -> threading.Thread:
    """Do something in another thread as soon as something is so."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while not once():
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        does()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_each_prompt_is_a_row_with_its_pictures_and_a_second_run_reads_only_the_manifest(
    place: str, sandbox: Sandbox, new_try: NewTry, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[object] = [
        *lamps(3),
        {"prompt": "Two chairs", "name": "CHAIR", "number_of_images": 2},
        "nude portrait",
    ]
    run, operator = new_try(), batch(prompts=prompts, output=place)
    summary = run(operator)
    rows = rows_of(summary)
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["status"] for row in rows] == ["done"] * 4 + ["blocked"]
    assert [len(row["paths"]) for row in rows] == [1, 1, 1, 2, 0]
    for row in rows:
        assert all(delivered(run, operator, path).startswith(b"\x89PNG") for path in row["paths"])
    assert summary["items"] == 5
    assert (summary["done"], summary["blocked"], summary["images"]) == (4, 1, 5)
    assert summary["credits"] == run.credits == sandbox.charged() == 6
    assert run.ti.pushed["manifest"] == summary["manifest"]

    read: list[str] = []
    monkeypatch.setattr(receipt_stores, "read_if_there", lambda uri: read.append(uri))
    requests_before = len(sandbox.ledger())
    again = new_try(run_id="tuesday")
    summary = again(batch(prompts=prompts, output=place))
    assert {entry.operation for entry in sandbox.ledger()[requests_before:]} <= {"list_storages"}
    assert not read
    assert (summary["reused"], summary["images"], summary["credits"]) == (5, 5, 0)
    assert rows_of(summary) == rows


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet", "list", "dicts"])
def test_prompts_come_from_files_and_lists_each_with_options_of_its_own(
    kind: str, sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    rows = [
        {"prompt": "A brass lamp", "name": "LT-1", "number_of_images": 2, "guidance_scale": 7.5},
        {"prompt": "A linen sofa", "name": "SF-1", "number_of_images": None, "guidance_scale": None},
    ]
    file = tmp_path / f"prompts{kind}"
    if kind == ".csv":
        with file.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif kind == ".jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows))
    elif kind == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), file)
    given = {"list": [row["prompt"] for row in rows], "dicts": rows}.get(kind, f"file://{file}")
    summary = new_try()(batch(prompts=given, output=f"file://{tmp_path}/out/", number_of_images=3))
    asked = sorted(
        (entry.request["input"], entry.number_of_images, entry.request["options"]["guidance_scale"])
        for entry in sandbox.ledger("generate_image")
    )
    first = ("A brass lamp", 3, 5.0) if kind == "list" else ("A brass lamp", 2, 7.5)
    assert asked == [first, ("A linen sofa", 3, 5.0)]
    if kind != "list":
        assert (tmp_path / "out" / "LT-1_2.png").exists()
    assert Path(summary["manifest"]).name.startswith("manifest-prompts")


def test_columns_of_other_names_are_found_and_each_shard_does_its_own_rows(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("Caption\n" + "\n".join(lamps(7)))
    done = []
    for shard in [(0, 3), "(1, 3)", [2, 3]]:
        operator = batch(
            prompts=f"file://{tmp_path}/p.csv", columns={"prompt": "Caption"}, shard=shard, output=f"file://{tmp_path}/"
        )
        done.append([row["row"] for row in rows_of(new_try()(operator))])
    assert done == [[1, 4, 7], [2, 5], [3, 6]]
    assert paid_by_prompt(sandbox) == Counter(lamps(7))


class LazySequence(Sequence[Any]):
    """The results of a mapped task as Airflow gives them: fetched one by one."""

    def __init__(self, results: list[Any]) -> None:
        self._results = results
        self.fetched = 0

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, index: Any) -> Any:
        self.fetched += 1
        return self._results[index]


@pytest.mark.parametrize("results", [lamps(4), [[*lamps(2)], [], ["Lamp number 3", {"prompt": "Lamp number 4"}]]])
def test_the_results_of_a_mapped_task_are_prompts_one_or_many_of_each(
    results: list[Any], sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    operator = batch(output=f"file://{tmp_path}/")
    lazy = operator.prompts = LazySequence(results)
    assert new_try()(operator)["done"] == 4
    assert paid_by_prompt(sandbox) == Counter(lamps(4))
    assert lazy.fetched <= 5, "each result is fetched once"


def test_a_prompt_given_twice_is_paid_once_and_the_second_row_says_of_which(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    for run_id in ("monday", "tuesday"):
        summary = new_try(run_id=run_id)(batch(prompts=["A lamp", "A sofa", "A lamp"], output=f"file://{tmp_path}/"))
        assert [(row["status"], row.get("of")) for row in rows_of(summary)][2] == ("duplicate", 1)
        assert summary["duplicate"] == 1
    assert sandbox.charged() == 2


@pytest.mark.parametrize("kind", ["local", "connected"])
def test_two_prompts_of_one_name_are_not_two_pictures_of_one_product(
    kind: str, sandbox: Sandbox, new_try: NewTry, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    prompts = [{"prompt": "A lamp", "name": "X"}, {"prompt": "A sofa", "name": "X"}]
    output = f"file://{tmp_path}/" if kind == "local" else request.getfixturevalue("connected")
    summary = new_try()(batch(prompts=prompts, output=output, error_threshold=1))
    second = rows_of(summary)[1]
    assert second["status"] == "invalid"
    assert "the name 'X' of row 1" in second["error"]
    assert sandbox.charged() == 1
    assert new_try(run_id="tuesday")(batch(prompts=prompts, output=output, error_threshold=1))["credits"] == 0


def test_names_that_differ_by_case_alone_are_two_products_where_files_tell_them_apart(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [{"prompt": "A lamp", "name": "Sku"}, {"prompt": "A sofa", "name": "SKU"}]
    assert new_try()(batch(prompts=prompts, output=f"file://{tmp_path}/a/"))["done"] == 2
    monkeypatch.setattr("airflow_claid.storage.file_names._asked", lambda folder: (True, True))
    second = rows_of(new_try()(batch(prompts=prompts, output=f"file://{tmp_path}/b/", error_threshold=1)))[1]
    assert second["status"] == "invalid"
    assert "the name 'SKU' of row 1 (this folder does not tell names apart by upper and lower case" in second["error"]
    assert sandbox.charged() == 3


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "A lamp \ud83d"},
        {"prompt": "A lamp", "name": "SKU-\ud83d"},
        {"prompt": "\u200b\u200b\u200b\u2060"},
        {"prompt": "A lamp", "name": "\u200b\ufeff"},
        {"prompt": "nan"},
        {"prompt": "A lamp", "name": "nan"},
        {"prompt": "A chair\0\0 of oak"},
        {"prompt": "A lamp", "name": "x" * 300},
        {"prompt": "A lamp", "name": "CH/2001"},
        {"prompt": b"Caf\xe9", "name": "SKU-2"},
        {"prompt": "A lamp", "guidance_scale": float("inf")},
        {"prompt": "A lamp", "number_of_images": [2]},
        {"prompt": "file:///data/export/part-00001.csv"},
        {"prompt": ["A lamp"], "name": {"a": 1}},
    ],
)
def test_a_row_that_is_a_slip_costs_nothing_and_stops_nobody(
    row: dict[str, object], sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    summary = new_try()(
        batch(prompts=["A vase", row, "A sofa"], output=f"file://{tmp_path}/", error_threshold=1, concurrency=1)
    )
    assert [one["status"] for one in rows_of(summary)] == ["done", "invalid", "done"]
    assert paid_by_prompt(sandbox) == Counter(["A vase", "A sofa"])


def test_a_warehouses_values_are_read_as_what_they_mean(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    prompts = [
        {"prompt": b"A lamp", "name": 1001.0, "number_of_images": Decimal(2), "guidance_scale": np.float32(7.5)},
        {"prompt": "A sofa", "name": Decimal("1002"), "number_of_images": np.int64(1), "guidance_scale": pd.NA},
        {"prompt": "A vase", "name": pd.Timestamp("2026-03-01"), "number_of_images": float("nan")},
        {"prompt": pd.NA, "name": "1004"},
    ]
    summary = new_try()(batch(prompts=prompts, output=f"file://{tmp_path}/", error_threshold=1))
    assert [row["name"] for row in rows_of(summary)] == ["1001", "1002", "2026-03-01", "1004"]
    assert rows_of(summary)[3]["status"] == "invalid"
    assert (tmp_path / "1001_2.png").exists()
    assert sandbox.charged() == 4


def test_rows_that_are_no_good_are_reported_and_the_others_delivered(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    prompts = [*lamps(8), "ab", {"prompt": "A sofa", "number_of_images": 9}, {"name": "no prompt"}]
    operator = batch(prompts=prompts, output=f"file://{tmp_path}/", error_threshold="0.3")
    summary = new_try()(operator)
    assert (summary["done"], summary["invalid"]) == (8, 3)
    errors = [row["error"] for row in rows_of(summary) if row["status"] == "invalid"]
    assert "3 to 1024" in errors[0]
    assert "number_of_images=9" in errors[1]
    assert "has no prompt" in errors[2]
    assert sandbox.charged() == 8

    run = new_try(run_id="tuesday")
    with pytest.raises(AirflowFailException, match=r"3 invalid, of 11: more than error_threshold=0.1"):
        run(batch(prompts=prompts, output=f"file://{tmp_path}/"))
    assert run.ti.pushed["summary"]["invalid"] == 3
    assert sandbox.charged() == 8


@pytest.mark.parametrize(
    ("prompts", "on_blocked", "expected"),
    [
        (["nude one", "A lamp"], "keep", None),
        (["nude one", "A lamp"], "fail", AirflowFailException),
        (["nude one", "A lamp"], "skip", None),
        (["nude one", "nude two"], "skip", AirflowSkipException),
        (["nude one", "nude two"], "keep", None),
    ],
)
def test_blocked_prompts_end_the_task_as_asked_after_all_is_done(
    prompts: list[str],
    on_blocked: str,
    expected: type[Exception] | None,
    sandbox: Sandbox,
    new_try: NewTry,
    tmp_path: Path,
) -> None:
    for run_id in ("monday", "tuesday"):
        run, operator = (
            new_try(run_id=run_id),
            batch(prompts=prompts, output=f"file://{tmp_path}/", on_blocked=on_blocked),
        )
        if expected is None:
            run(operator)
        else:
            with pytest.raises(expected, match="content filter blocked"):
                run(operator)
        summary = run.ti.pushed["summary"]
        assert Counter(row["status"] for row in rows_of(summary))["blocked"] == sum("nude" in one for one in prompts)
        assert sandbox.charged() == 2


@pytest.mark.parametrize("failing", ["invalid", "refused"])
def test_on_error_fail_stops_at_the_first_and_says_why(
    failing: str, sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    prompts = ["ab" if failing == "invalid" else "refused lamp", *lamps(400)]
    if failing == "refused":
        sandbox.fault("500", prompt="refused", probability=1)
    with pytest.raises(AirflowException, match=r"on_error='fail'.* are left") as stopped:
        new_try()(batch(prompts=prompts, output=f"file://{tmp_path}/", on_error="fail", concurrency=1))
    assert isinstance(stopped.value, AirflowFailException) is (failing == "invalid")
    assert sandbox.charged() < 400
    assert sandbox.charged() == len([row for row in rows_in_parts(tmp_path) if row["status"] == "done"])


def test_a_batch_whose_prompts_mostly_fail_stops_before_it_has_gone_through_all(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    prompts = [*lamps(150), *["ab"] * 40, *(f"Chair {count}" for count in range(400))]
    with pytest.raises(AirflowFailException, match=r"more than error_threshold=0.1 allows.*3 to 1024.* are left"):
        new_try()(batch(prompts=prompts, output=f"file://{tmp_path}/"))
    assert sandbox.charged() <= 150 + 16


def test_the_ceiling_is_never_passed_and_the_next_execution_goes_on(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    operator = partial(batch, prompts=lamps(60), output=f"file://{tmp_path}/", max_credits=25, concurrency=40)
    for expected in (25, 50):
        run = new_try()
        with pytest.raises(
            AirflowFailException, match=rf"max_credits=25\. .* {expected} of 60 items have ended"
        ) as stopped:
            run(operator())
        assert f"{60 - expected} are left" in str(stopped.value)
        assert run.credits == 25
        assert sandbox.charged() == expected
    assert new_try()(operator())["reused"] == 50
    assert paid_by_prompt(sandbox) == Counter(lamps(60))


def test_the_ceiling_counts_what_lost_answers_may_have_cost(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    sandbox.fault("cut", operation="generate_image", charged=True, probability=0.3)
    run = new_try()
    with pytest.raises(AirflowFailException, match=r"perhaps \d+ more, for lost answers\).*max_credits=30"):
        run(batch(prompts=lamps(60), output=f"file://{tmp_path}/", max_credits=30, concurrency=20))
    assert run.credits < 30
    assert sandbox.charged() <= 30


def test_without_credits_all_stops_at_once_and_with_new_ones_each_prompt_is_paid_once(
    sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path
) -> None:
    operator = partial(batch, prompts=lamps(80), output=f"file://{tmp_path}/", concurrency=20)
    sandbox.add_key("poor-key", credits=30)
    run = new_try()
    connect("claid_default", conn_type="claid", password="poor-key", host=sandbox.url)
    with pytest.raises(
        AirflowFailException, match=r"30 of 80 items have ended, 30 of them with pictures, 50 are left; 30 cre"
    ):
        run(operator())
    assert run.credits == sandbox.charged() == 30
    assert len(rows_in_parts(tmp_path)) == 30
    assert Counter(entry.status for entry in sandbox.ledger("generate_image"))[402] <= 20
    sandbox.add_key("poor-key", credits=100)
    summary = new_try(try_number=2)(operator())
    assert (summary["done"], summary["reused"], summary["credits"]) == (80, 30, 50)
    assert paid_by_prompt(sandbox) == Counter(lamps(80))


def test_a_wrong_key_fails_at_once(sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path) -> None:
    run = new_try()
    connect("claid_default", conn_type="claid", password="wrong-key", host=sandbox.url)
    with pytest.raises(AirflowFailException, match="key"):
        run(batch(prompts=lamps(200), output=f"file://{tmp_path}/", concurrency=8))
    assert len(sandbox.ledger("generate_image")) <= 8
    assert sandbox.charged() == 0


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_a_picture_that_was_removed_is_asked_for_again_and_only_that_one(
    place: str, sandbox: Sandbox, new_try: NewTry, caplog: pytest.LogCaptureFixture
) -> None:
    operator = batch(output=place)
    (removed,) = rows_of(new_try()(operator))[1]["paths"]
    address = operator.hook.storages.find_readable_uri(removed)
    ObjectStoragePath(str(address)).unlink()
    summary = new_try(run_id="tuesday")(batch(output=place))
    assert (summary["reused"], summary["credits"], summary["done"]) == (2, 1, 3)
    assert paid_by_prompt(sandbox) == Counter({"Lamp number 1": 1, "Lamp number 2": 2, "Lamp number 3": 1})
    assert "no longer there" in caplog.text
    second = rows_of(summary)[1]
    assert second["credits"] == 2
    assert delivered(new_try(), operator, second["paths"][0])


def test_a_new_file_of_prompts_pays_only_for_what_is_new_in_it(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    file = tmp_path / "p.csv"
    for number in (5, 9):
        file.write_text("prompt\n" + "\n".join(reversed(lamps(number))))
        summary = new_try(run_id=str(number))(batch(prompts=f"file://{file}", output=f"file://{tmp_path}/out/"))
    assert (summary["done"], summary["reused"], summary["credits"]) == (9, 5, 4)
    assert [row["prompt"] for row in rows_of(summary)] == list(reversed(lamps(9)))


def test_with_regenerate_each_run_pays_again_and_a_retry_of_it_does_not(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    operator = partial(batch, output=f"file://{tmp_path}/")
    new_try()(operator())
    with pytest.raises(AirflowFailException, match="max_credits=2"):
        new_try(run_id="tuesday")(operator(regenerate=True, max_credits=2, concurrency=1))
    assert sandbox.charged() == 3 + 2
    summary = new_try(run_id="tuesday", try_number=2)(operator(regenerate=True))
    assert (summary["reused"], summary["credits"]) == (2, 1)
    assert paid_by_prompt(sandbox) == Counter(lamps(3) * 2)
    assert new_try(run_id="tuesday", try_number=3)(operator(regenerate="True"))["credits"] == 0
    assert new_try(run_id="wednesday")(operator())["credits"] == 0
    assert new_try(run_id="thursday")(operator(regenerate=True))["credits"] == 3
    assert paid_by_prompt(sandbox) == Counter(lamps(3) * 3)


def test_a_prompt_whose_answer_is_lost_holds_up_no_other(sandbox: Sandbox, new_try: NewTry, connected: str) -> None:
    """With two threads, and two prompts to wait for, the others would have to wait the whole time of grace."""
    sandbox.fault("cut", prompt="Lamp number 1", charged=False, count=2)
    operator = batch(prompts=lamps(9), output=connected, concurrency=2, lost_response_grace=600)
    ended = [False]

    def kill() -> None:
        ended[0] = True
        operator.on_kill()

    thread = meanwhile(kill, lambda: sandbox.charged() == 8)
    run = new_try()
    with pytest.raises(AirflowException, match=r"8 of 9 items have ended, 8 of them with pictures, 1 are left"):
        run(operator)
    thread.join()
    assert ended[0]
    summary = new_try(try_number=2)(batch(prompts=lamps(9), output=connected, lost_response_grace=0))
    assert (summary["done"], summary["reused"], summary["credits"]) == (9, 8, 1)


def test_a_lost_answer_is_found_in_the_connected_storage_and_not_paid_again(
    sandbox: Sandbox, new_try: NewTry, connected: str
) -> None:
    sandbox.fault("cut", operation="generate_image", charged=True, count=5)
    summary = new_try()(batch(prompts=lamps(20), output=connected))
    assert (summary["done"], summary["credits"], summary["credits_in_doubt"]) == (20, 20, 0)
    assert paid_by_prompt(sandbox) == Counter(lamps(20))


def test_on_lost_response_fail_reports_the_prompt_with_what_it_may_have_cost(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    sandbox.fault("cut", charged=True, prompt="Lamp number 2")
    operator = batch(prompts=lamps(20), output=f"file://{tmp_path}/", on_lost_response="fail")
    summary = new_try()(operator)
    row = rows_of(summary)[1]
    assert (row["status"], row["credits"], row["credits_in_doubt"]) == ("failed", 0, 1)
    assert "on_lost_response='fail'" in row["error"]
    assert (summary["failed"], summary["credits"], summary["credits_in_doubt"]) == (1, 19, 1)


@pytest.mark.parametrize("place", ["local", "connected", "landing"], indirect=True)
def test_faults_at_random_leave_nothing_unreported_and_no_charge_unexplained(
    place: str, sandbox: Sandbox, new_try: NewTry
) -> None:
    sandbox.fault("500", operation="generate_image", probability=0.05, seed=1)
    sandbox.fault("cut", operation="generate_image", probability=0.02, charged=True, seed=2)
    sandbox.fault("truncated", operation="generate_image", probability=0.01, seed=3)
    sandbox.fault("cut", operation="generate_image", probability=0.01, charged=False, seed=4)
    summary = new_try()(batch(prompts=lamps(300), output=place, lost_response_grace=1.0))
    rows = rows_of(summary)
    assert len(rows) == 300
    assert {row["status"] for row in rows} <= {"done", "failed"}
    paid = paid_by_prompt(sandbox)
    for row in rows:
        assert row["credits"] <= paid[row["prompt"]] <= row["credits"] + row["credits_in_doubt"], row
    assert summary["credits"] <= sandbox.charged() <= summary["credits"] + summary["credits_in_doubt"]
    if not place.startswith("file://"):
        assert paid == Counter(lamps(300)), "where an answer can be looked up, nothing is paid twice"
    sandbox.clear_faults()
    before = sandbox.charged()
    assert new_try(run_id="tuesday")(batch(prompts=lamps(300), output=place))["failed"] == 0
    assert sandbox.charged() - before == summary["failed"]


def test_an_outage_stops_the_batch_for_a_retry(
    new_try: NewTry, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_claid.client.transport._ATTEMPTS_WITHOUT_ANSWER", 1)
    run = new_try()
    host = f"http://127.0.0.1:{free_port()}"
    connect("claid_default", conn_type="claid", password="any-key", host=host, extra={"max_wait": 60})
    with pytest.raises(AirflowException, match=r"could not reach.* 0 of 300 items have ended") as stopped:
        run(batch(prompts=lamps(300), output=f"file://{tmp_path}/", concurrency=16))
    assert not isinstance(stopped.value, AirflowFailException)
    assert run.credits == 0


@pytest.mark.parametrize("how", ["on_kill", "AirflowTaskTimeout"])
def test_a_stop_finishes_what_is_under_way_and_keeps_it(
    how: str, sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    sandbox.fault("hold", operation="generate_image", count=6)
    operator = batch(prompts=lamps(50), output=f"file://{tmp_path}/", concurrency=6)

    alarmed = threading.Event()

    def on_alarm(number: int, frame: FrameType | None) -> None:
        alarmed.set()
        raise AirflowTaskTimeout("Timeout")

    def stop() -> None:
        if how == "on_kill":
            operator.on_kill()
        else:
            os.kill(os.getpid(), signal.SIGALRM)
            alarmed.wait(10)
        sandbox.release()

    former = signal.signal(signal.SIGALRM, on_alarm)
    thread = meanwhile(stop, lambda: sandbox.held == 6)
    run = new_try()
    try:
        with pytest.raises(AirflowException if how == "on_kill" else AirflowTaskTimeout):
            run(operator)
    finally:
        signal.signal(signal.SIGALRM, former)
        thread.join()
    assert sandbox.charged() == run.credits == 6
    assert [row["status"] for row in rows_in_parts(tmp_path)] == ["done"] * 6
    assert [last_state(file)["state"] for file in tmp_path.glob("_claid/*.json")] == ["delivered"] * 6
    summary = new_try(try_number=2)(batch(prompts=lamps(50), output=f"file://{tmp_path}/"))
    assert (summary["reused"], summary["credits"]) == (6, 44)


def test_a_kill_before_the_first_request_sends_none(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    operator = batch(output=f"file://{tmp_path}/")
    operator.on_kill()
    with pytest.raises(AirflowException, match=r"was killed.* 3 are left"):
        new_try()(operator)
    assert sandbox.charged() == 0


def test_after_a_kill_in_the_middle_each_prompt_is_charged_and_delivered_once(
    sandbox: Sandbox, new_try: NewTry, connected: str, tmp_path: Path
) -> None:
    sandbox.change(latency=Latency(0.1))
    parameters = {"prompts": lamps(120), "output": connected, "lost_response_grace": 3.0}
    attempt = Attempt(parameters, dict(os.environ))
    try:
        deadline = time.monotonic() + 120
        while sandbox.charged() < 40 and attempt.runs and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        attempt.kill()
    assert 40 <= sandbox.charged() < 120, "it was not killed in the middle"
    sandbox.change(latency=Latency())
    summary = new_try(try_number=2)(batch(**parameters))
    rows = rows_of(summary)
    assert [row["row"] for row in rows] == list(range(1, 121))
    assert {row["status"] for row in rows} == {"done"}
    assert paid_by_prompt(sandbox) == Counter(lamps(120))
    assert len(list((tmp_path / "pictures").glob("*/*.png"))) == 120


def test_two_attempts_at_the_same_time_pay_each_prompt_once(sandbox: Sandbox, new_try: NewTry, connected: str) -> None:
    summaries = []

    def run(run_id: str) -> None:
        summaries.append(new_try(run_id=run_id)(batch(prompts=lamps(60), output=connected)))

    threads = [threading.Thread(target=run, args=(run_id,)) for run_id in ("monday", "tuesday")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [summary["done"] for summary in summaries] == [60, 60]
    assert paid_by_prompt(sandbox) == Counter(lamps(60))
    assert sum(summary["credits"] for summary in summaries) == 60


def test_progress_is_logged_and_kept_and_the_key_is_nowhere(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.fault("500", operation="generate_image", count=2)
    sandbox.fault("cut", operation="generate_image", count=2)
    run = new_try()
    summary = run(batch(prompts=[*lamps(30), "ab"], output=f"file://{tmp_path}/", report_seconds=0))
    assert run.state_store is not None
    progress = run.state_store["claid_progress"]
    assert (progress["items"], progress["of"], progress["done"], progress["credits"]) == (31, 31, 30, 30)
    assert any("of 31 items" in record.getMessage() for record in caplog.records)
    files = [file.read_text(errors="replace") for file in tmp_path.rglob("*") if file.is_file()]
    shown = [caplog.text, json.dumps(run.ti.pushed), json.dumps(run.state_store), json.dumps(summary), *files]
    assert len(files) > 60
    assert not any(sandbox.api_key in text for text in shown)
    assert len(json.dumps(summary)) < 1000


def test_the_task_links_to_its_folder(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    run = new_try()
    run(batch(output=f"file://{tmp_path}/pictures/"))
    assert run.ti.pushed[ClaidStorageLink().xcom_key] == f"file://{tmp_path}/pictures/"


def test_the_manifest_is_written_where_it_is_asked_for(
    sandbox: Sandbox, new_try: NewTry, connected: str, tmp_path: Path
) -> None:
    operator = partial(batch, output=connected, manifest="storage://shop/lists/lamps.jsonl")
    summary = new_try()(operator())
    assert summary["manifest"] == f"file://{tmp_path}/lists/lamps.jsonl"
    assert len(rows_of(summary)) == 3
    assert new_try(run_id="tuesday")(operator())["credits"] == 0


def test_a_manifest_in_a_bucket_that_is_not_there_is_told_before_the_first_payment(
    s3: str, sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    manifest = "s3://moto@no-such-bucket/lamps.jsonl"
    with pytest.raises(AirflowFailException, match=r"manifest='s3://moto@no-such-bucket/.* cannot be written"):
        new_try()(batch(output=f"file://{tmp_path}/", manifest=manifest))
    assert sandbox.charged() == 0
    summary = new_try()(batch(output=f"file://{tmp_path}/", manifest=f"{s3}/lists/lamps.jsonl"))
    assert [path.name for path in ObjectStoragePath(f"{s3}/lists").iterdir()] == ["lamps.jsonl"]
    assert len(rows_of(summary)) == 3


def test_a_list_in_the_dag_is_rendered_and_a_literal_is_not(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    rendered = batch(prompts=["A lamp of {{ ds }}", {"prompt": "{{ ds }} sofa"}], output=f"file://{tmp_path}/a/")
    kept = batch(prompts=literal(["A sign: {{ ds }}"]), output=f"file://{tmp_path}/b/")
    for operator in (rendered, kept):
        operator.render_template_fields({"ds": "2026-03-01"})
        new_try()(operator)
    assert set(paid_by_prompt(sandbox)) == {"A lamp of 2026-03-01", "2026-03-01 sofa", "A sign: {{ ds }}"}


def test_prompts_may_be_a_path_object(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("prompt\nA lamp\n")
    operator = batch(prompts=ObjectStoragePath(f"file://{tmp_path}/p.csv"), output=f"file://{tmp_path}/")
    assert new_try()(operator)["done"] == 1


def test_columns_may_come_as_text_from_a_template(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("Caption,Name\nA lamp,not a file name?\n")
    columns = "{'prompt': 'Caption', 'name': None}"
    operator = batch(prompts=f"file://{tmp_path}/p.csv", columns=columns, output=f"file://{tmp_path}/")
    (row,) = rows_of(new_try()(operator))
    assert (row["status"], row["name"]) == ("done", None)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"output": None}, "set a folder"),
        ({"output": "storage://shop/a.png"}, "use 'storage://shop/'"),
        ({"number_of_images": 5}, "number_of_images=5"),
        ({"guidance_scale": 0}, "guidance_scale=0"),
        ({"on_error": "ignore"}, "continue, fail"),
        ({"on_blocked": "ignore"}, "fail, skip, keep"),
        ({"error_threshold": 1.5}, "0 to 1"),
        ({"error_threshold": "nan"}, "0 to 1"),
        ({"concurrency": 0}, "1 to 400"),
        ({"concurrency": True}, "1 to 400"),
        ({"report_seconds": -1}, "0 or more"),
        ({"shard": 3}, "(k, n)"),
        ({"max_credits": -1}, "0 or more"),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(AirflowFailException) as refused:
        batch(**{"output": "file:///tmp/nowhere/", **parameters})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"prompts": "file:///nowhere/p.csv"}, "does not exist"),
        ({"prompts": "/srv/p.csv"}, "use 'file:///srv/p.csv'"),
        ({"prompts": 3}, "neither a list nor"),
        ({"prompts": {"prompt": "A lamp"}}, "neither a list nor"),
        ({"shard": (4, 4)}, "from 0 to n-1"),
        ({"columns": {"text": "Caption"}}, "columns="),
        ({"output": "storage://unmapped/a/"}, "unmapped"),
        ({"manifest": "nowhere://a/b.jsonl"}, "manifest='nowhere://"),
        ({"manifest": "file:///tmp/"}, "manifest='file:///tmp/' is a folder: name a file in it"),
        ({"manifest": "file:///tmp"}, "manifest='file:///tmp' is a folder"),
        ({"manifest": "file:///proc/none/lamps.jsonl"}, "manifest='file:///proc/none/lamps.jsonl' cannot be written"),
        ({"manifest": f"file:///tmp/{'x' * 250}.jsonl"}, "cannot be written (OSError: [Errno 36] File name too long"),
        ({"columns": "{'text': 'Caption'}"}, "columns="),
        ({"columns": "Caption"}, "columns='Caption' must be a dict such as {'prompt': 'Caption'"),
    ],
)
def test_what_is_only_known_when_the_task_runs_is_refused_before_anything_is_paid(
    parameters: dict[str, object], said: str, sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    with pytest.raises(AirflowFailException) as refused:
        new_try()(batch(**{"output": f"file://{tmp_path}/", **parameters}))
    assert said in str(refused.value)
    assert sandbox.charged() == 0


@pytest.mark.parametrize(
    ("name", "value"), [("max_credits", "many"), ("on_lost_response", "again"), ("lost_response_grace", "-1")]
)
def test_a_wrong_term_is_refused_before_the_prompts_are_read(
    name: str, value: str, tmp_path: Path, new_try: NewTry
) -> None:
    operator = batch(prompts=f"file://{tmp_path}/none.csv", output=f"file://{tmp_path}/", **{name: "{{ x }}"})
    setattr(operator, name, value)
    with pytest.raises(AirflowFailException, match=f"{name}='{value}'"):
        new_try()(operator)


def test_a_templated_ceiling_leaves_the_other_parameters_checked_at_once() -> None:
    with pytest.raises(AirflowFailException, match="concurrency=0"):
        batch(output="s3://shop/", max_credits="{{ x }}", concurrency=0)
