from __future__ import annotations

from pathlib import Path

import pytest

from airflow_claid.operators import ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.support.one_attempt import TaskInstance
from tests.unit.cli.conftest import Claid

PROMPT = "a red chair"


def test_a_picture_is_paid_for_once_and_its_path_and_credits_are_told(
    connected: Sandbox, tmp_path: Path, command: Claid
) -> None:
    words = ("generate", PROMPT, "--output", str(tmp_path), "--name", "CHAIR", "--json")
    first, second = command(*words), command(*words)
    assert (first.code, first.json["credits"], first.json["paths"]) == (0, 1, [f"file://{tmp_path}/CHAIR_1.png"])
    assert (second.code, second.json["credits"], second.json["paths"]) == (0, 0, first.json["paths"])
    assert (tmp_path / "CHAIR_1.png").exists()
    assert Path(first.json["receipt"].removeprefix("file://")).exists()
    assert sum(entry.credits for entry in connected.ledger()) == 1


def test_a_task_with_the_same_request_reuses_the_picture(connected: Sandbox, tmp_path: Path, command: Claid) -> None:
    assert command("generate", PROMPT, "--output", str(tmp_path)).code == 0
    operator = ImageGenerationOperator(task_id="t", prompt=PROMPT, output=f"file://{tmp_path}/")
    operator.execute({"ti": TaskInstance(1)})  # type: ignore[typeddict-item]
    assert sum(entry.credits for entry in connected.ledger()) == 1


def test_a_dry_run_pays_nothing_and_writes_nothing(connected: Sandbox, tmp_path: Path, command: Claid) -> None:
    words = ("generate", PROMPT, "--output", str(tmp_path), "--number-of-images", "3", "--dry-run", "--json")
    before = command(*words)
    assert (before.code, before.json["credits"], before.json["requests"], before.json["reused"]) == (0, 3, 1, False)
    assert (list(tmp_path.iterdir()), [entry for entry in connected.ledger() if entry.credits]) == ([], [])
    command(*words[:-2])
    assert [command(*words).json[name] for name in ("credits", "requests", "reused")] == [0, 0, True]


def test_a_blocked_picture_is_a_problem_and_its_credits_are_told(
    connected: Sandbox, tmp_path: Path, command: Claid
) -> None:
    ended = command("generate", "blocked-example chair", "--output", str(tmp_path), "--json")
    assert (ended.code, ended.json["paths"], ended.json["blocked"], ended.json["credits"]) == (1, [], 1, 1)
    assert "content filter" in ended.err


def test_a_lost_answer_is_not_sent_again_unless_it_is_asked_for(
    connected: Sandbox, tmp_path: Path, command: Claid
) -> None:
    connected.fault("cut", charged=True)
    words = ("generate", PROMPT, "--output", str(tmp_path), "--json")
    for _ in range(2):
        lost = command(*words)
        assert (lost.code, lost.out) == (3, "")
        assert "Traceback" not in lost.err
        assert sum(entry.credits for entry in connected.ledger()) == 1
    assert "it may have cost 1 credit" in lost.err
    again = command(*words, "--on-lost-response", "resubmit")
    assert (again.code, again.json["credits_in_doubt"], len(again.json["paths"])) == (0, 1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((PROMPT,), "--output"),
        (("ab", "--output", "."), "prompt"),
        ((PROMPT, "--output", ".", "--number-of-images", "9"), "number_of_images"),
        ((PROMPT, "--output", ".", "--number-of-images", "two"), "invalid int value"),
        ((PROMPT, "--output", "https://example.com/x/"), "output"),
        ((PROMPT, "--output", "storage://nowhere/x/"), "which the account does not have"),
        ((PROMPT, "--output", ".", "--name", "a/b"), "name"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    words: tuple[str, ...],
    said: str,
    connected: Sandbox,
    tmp_path: Path,
    command: Claid,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command("generate", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert [entry for entry in connected.ledger() if entry.credits] == []


def test_a_connected_storage_that_airflow_cannot_read_takes_no_receipt(
    connected: Sandbox, tmp_path: Path, command: Claid
) -> None:
    connected.connect_storage("shop", bucket="b", where=str(tmp_path), access_key="a", secret_access_key="b")
    ended = command("generate", PROMPT, "--output", "storage://shop/made/")
    assert (ended.code, ended.out) == (2, "")
    assert "is not mapped" in ended.err
    assert [entry for entry in connected.ledger() if entry.credits] == []


def test_nothing_is_sent_that_costs_more_than_is_allowed(connected: Sandbox, tmp_path: Path, command: Claid) -> None:
    ended = command("generate", PROMPT, "--output", str(tmp_path), "--number-of-images", "2", "--max-credits", "1")
    assert (ended.code, ended.out) == (3, "")
    assert "max_credits" in ended.err
    assert connected.ledger() == []
