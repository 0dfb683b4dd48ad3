from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator, ImageUpscaleOperator
from airflow_claid.sandbox import Latency, Sandbox
from tests.support.one_attempt import Attempt, TaskInstance
from tests.unit.cli.conftest import Claid

PROMPTS = ["a red chair", "a green chair", {"prompt": "two chairs", "number_of_images": 2}, "blocked-example chair"]


def charged(sandbox: Sandbox, operation: str | None = None) -> float:
    return sum(entry.credits for entry in sandbox.ledger() if operation in (None, entry.operation))


@pytest.fixture
def shop(connected: Sandbox, tmp_path: Path) -> Path:
    """A folder with the receipts of four generations, one of them blocked, and of an edit in a folder of its own."""
    context: Any = {"ti": TaskInstance(1)}
    batch = {"task_id": "t", "prompts": PROMPTS, "output": f"file://{tmp_path}/made/", "error_threshold": 1}
    ImageGenerationBatchOperator(**batch).execute(context)
    picture = next((tmp_path / "made").glob("*.png"))
    ImageUpscaleOperator(task_id="u", input=f"file://{picture}", scale=2, output=f"file://{tmp_path}/large/").execute(
        context
    )
    return tmp_path


def test_the_sum_is_what_the_ledger_says(shop: Path, connected: Sandbox, command: Claid) -> None:
    ended = command("receipts", "sum", str(shop), "--recursive", "--json")
    total, by_day = ended.json["total"], ended.json["by_day"]
    assert ended.code == 0
    assert total["credits"] == charged(connected) == 6
    generated = charged(connected, "generate_image")
    by_operation = {row["operation"]: row["credits"] for row in by_day}
    assert by_operation == {"generate_image": generated, "edit_image": charged(connected) - generated}
    assert {row["day"] for row in by_day} == {connected.ledger()[0].time[:10]}
    assert (total["receipts"], total["images"], total["blocked_images"]) == (5, 5, 1)
    assert (total["blocked"], total["credits_blocked"], total["credits_in_doubt"]) == (1, 1, 0)


def test_one_folder_alone_is_summed_without_the_folders_in_it(shop: Path, command: Claid) -> None:
    assert command("receipts", "sum", str(shop / "made"), "--json").json["total"]["receipts"] == 4
    both = command("receipts", "sum", f"file://{shop}/made/_claid/", str(shop / "large"), "--json")
    assert both.json["total"]["credits"] == 6
    table = command("receipts", "sum", str(shop / "made"))
    assert table.out.splitlines()[-1].split()[:4] == ["total", "4", "4", "1"]


def test_a_folder_that_is_named_and_lies_in_another_is_counted_once(shop: Path, command: Claid) -> None:
    named = [str(shop), str(shop / "made"), str(shop / "large" / "_claid"), str(shop / "made") + "/", str(shop)]
    for folders in (named, named[::-1]):
        assert command("receipts", "sum", *folders, "--recursive", "--json").json["total"]["credits"] == 6
        assert len(command("receipts", "list", *folders, "--recursive", "--json").lines) == 5


def test_a_batch_that_was_killed_costs_what_the_ledger_says(connected: Sandbox, tmp_path: Path, command: Claid) -> None:
    connected.change(latency=Latency(5))  # on a busy machine too, the kill comes before the first answer
    batch = {
        "prompts": [f"chair number {number}" for number in range(9)],
        "output": f"file://{tmp_path}/",
        "concurrency": 3,
    }
    attempt = Attempt(batch, dict(os.environ))
    wait_until(lambda: in_flight(connected) == 3)
    attempt.kill()
    wait_until(lambda: in_flight(connected) == 0)

    killed = command("receipts", "sum", str(tmp_path), "--json").json["total"]
    assert killed["in_doubt"] == killed["credits_in_doubt"] == 3
    assert killed["credits"] + killed["credits_in_doubt"] == charged(connected)

    connected.change(latency=Latency())
    Attempt(batch, dict(os.environ), try_number=2).summary()
    ended = command("receipts", "sum", str(tmp_path), "--json").json["total"]
    assert (ended["receipts"], ended["images"], ended["credits"], ended["credits_in_doubt"]) == (9, 9, 9, 3)
    assert ended["credits"] + ended["credits_in_doubt"] == charged(connected) == 12


def in_flight(sandbox: Sandbox) -> int:
    return sum(entry.status is None for entry in sandbox.ledger())


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_receipts_are_listed_and_filtered(shop: Path, command: Claid) -> None:
    rows = command("receipts", "list", str(shop / "made"), "--json").lines
    assert sorted(row["state"] for row in rows) == ["blocked", "delivered", "delivered", "delivered"]
    (blocked,) = command("receipts", "list", str(shop / "made"), "--state", "blocked", "--json").lines
    assert (blocked["subject"], blocked["credits"], blocked["blocked_images"]) == ("blocked-example chair", 1, 1)
    (edit,) = command("receipts", "list", str(shop), "--recursive", "--operation", "edit_image", "--json").lines
    assert edit["folder"] == f"file://{shop}/large/_claid/"
    assert command("receipts", "list", str(shop / "made"), "--state", "intent").code == 0


def test_a_table_of_many_receipts_keeps_its_columns_and_shows_no_control_characters(shop: Path, command: Claid) -> None:
    write_copies(shop / "made", 1200, subject="a \x1b[31mred\x1b[0m chair [bold]of wood[/bold]")
    lines = command("receipts", "list", str(shop / "made")).out.splitlines()
    assert len(lines) == 1 + 4 + 1200
    start = lines[0].index("SUBJECT")
    assert {line[start : start + 1] for line in lines[1:]} <= set("atb")
    assert not any("\x1b" in line for line in lines)
    assert sum("[bold]of wood[/bold]" in line for line in lines) == 1200


def write_copies(output: Path, number: int, **changes: Any) -> None:
    """Write receipts, of pictures that are in place, of requests that were never sent."""
    states = (json.loads(file.read_text().split("\n\n")[-1]) for file in output.glob("_claid/*.json"))
    state = next(one for one in states if one["state"] == "delivered")
    for count in range(number):
        fingerprint = f"{count:064x}"
        (output / f"_claid/{fingerprint}.json").write_text(json.dumps({**state, "fingerprint": fingerprint, **changes}))


def test_a_hundred_thousand_receipts_need_no_more_memory_than_a_thousand(
    shop: Path, command: Claid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each receipt is let go before the next ones are read."""
    from airflow_claid.fulfilment import receipt_folders

    write_copies(shop / "made", 3000)
    alive, most, read = 0, 0, receipt_folders._read

    class Counted(receipt_folders.FoundReceipt):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def counting(found: tuple[str, str]) -> Any:
        nonlocal alive, most
        alive, one = alive + 1, read(found)
        most = max(most, alive)
        return Counted(one.fingerprint, one.folder, one.receipt)

    monkeypatch.setattr(receipt_folders, "_read", counting)
    assert len(command("receipts", "list", str(shop / "made"), "--json").lines) == 3004
    assert most < 10


def test_an_unreadable_receipt_is_a_problem_and_stops_no_other(shop: Path, command: Claid) -> None:
    broken = next((shop / "made/_claid").glob("*.json"))
    broken.write_text("{}")
    ended = command("receipts", "sum", str(shop / "made"), "--json")
    assert (ended.code, ended.json["total"]["receipts"], ended.json["unreadable"]) == (1, 3, 1)
    listed = command("receipts", "list", str(shop / "made"), "--state", "unreadable", "--json")
    assert (listed.code, listed.lines[0]["fingerprint"]) == (1, broken.stem)
    assert "it is not a receipt" in listed.lines[0]["problem"]
    shown = command("receipts", "show", str(shop / "made"), broken.stem)
    assert (shown.code, "it is not a receipt" in shown.err) == (1, True)


def test_a_receipt_is_shown_without_signed_links(shop: Path, command: Claid) -> None:
    file = next((shop / "large/_claid").glob("*.json"))
    state = json.loads(file.read_text().split("\n\n")[-1])
    link = "https://bucket.test/chair.png?X-Amz-Signature=0123abcd&X-Amz-Expires=60"
    state["body"]["input"] = state["subject"] = state["images"][0]["path"] = link
    state["reasons"] = [f"cannot read {link}"]
    file.write_text(json.dumps(state))
    ended = command("receipts", "show", str(shop / "large"), file.stem[:8], "--json")
    assert (ended.code, ended.json["fingerprint"], ended.json["operation"]) == (0, file.stem, "edit_image")
    assert ended.json["pictures"][0]["path"] == "https://bucket.test/chair.png"
    assert "https://bucket.test/chair.png" in json.dumps(ended.json["body"])
    table = command("receipts", "show", str(shop / "large"), file.stem)
    assert "answer" not in ended.json
    for printed in (ended.out, table.out):
        assert "Signature" not in printed
        assert "0123abcd" not in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "/nowhere/at/all"), "no such folder"),
        (("show", ".", "zebra"), "not the beginning of a fingerprint"),
        (("show", ".", "abcd"), "has no receipt"),
        (("sum", ".", "--timezone", "Mars/North"), "no such timezone"),
        (("list", ".", "--state", "lost"), "invalid choice"),
    ],
)
def test_bad_input_is_told_without_a_traceback(
    words: tuple[str, ...], said: str, tmp_path: Path, command: Claid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command("receipts", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_without_receipts_is_a_problem(tmp_path: Path, command: Claid) -> None:
    ended = command("receipts", "list", str(tmp_path))
    assert (ended.code, ended.out) == (1, "")
    assert "--recursive" in ended.err


def test_receipts_in_a_bucket_are_read_through_the_connected_storage(
    connected: Sandbox, s3: str, s3_endpoint: str, connect: Any, command: Claid
) -> None:
    bucket = s3.rpartition("@")[2]
    keys = {"access_key": "test-key", "secret_access_key": "test-secret"}
    connected.connect_storage("shop", bucket=bucket, where=s3_endpoint, **keys)
    fields = {"conn_type": "claid", "password": connected.api_key, "host": connected.url}
    connect("claid_default", **fields, extra={"storages": {"shop": "moto"}})
    context: Any = {"ti": TaskInstance(1)}
    ImageGenerationOperator(task_id="t", prompt="a red chair", output="storage://shop/made/").execute(context)
    for folder in ("storage://shop/made/", f"{s3}/made/"):
        ended = command("receipts", "sum", folder, "--json")
        assert (ended.code, ended.json["total"]["credits"]) == (0, charged(connected))
