"""Real prompts: the 1,632 of PartiPrompts, among them two that are too short for Claid."""

from __future__ import annotations

import csv
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient, ClaidValidationError, GenerateResult
from airflow_claid.sandbox import Sandbox

PROMPTS_FILE = Path(__file__).parents[2] / "data" / "parti-prompts.tsv"


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    with PROMPTS_FILE.open(encoding="utf-8", newline="") as file:
        return [row["Prompt"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def test_each_prompt_is_generated_and_charged_once_and_those_too_short_are_not_sent(
    claid: ClaidClient, sandbox: Sandbox, prompts: list[str]
) -> None:
    def generate(prompt: str) -> GenerateResult | ClaidValidationError:
        try:
            return claid.generate_image(prompt)
        except ClaidValidationError as refused:
            return refused

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(generate, prompts))

    generated = [
        (prompt, result) for prompt, result in zip(prompts, results, strict=True) if isinstance(result, GenerateResult)
    ]
    refused = [
        (prompt, result)
        for prompt, result in zip(prompts, results, strict=True)
        if isinstance(result, ClaidValidationError)
    ]
    assert len(prompts) == 1632
    assert len(generated) == 1630
    assert all(result.input.text == prompt.strip() for prompt, result in generated)
    assert len(refused) == 2
    assert all(len(prompt.strip()) < 3 and f"prompt={prompt!r}" in str(result) for prompt, result in refused)
    assert sandbox.charged() == 1630
    assert len(sandbox.ledger()) == 1630
    assert {entry.status for entry in sandbox.ledger()} == {200}
    assert Counter(entry.prompt for entry in sandbox.ledger()) == Counter(prompt.strip() for prompt, _ in generated)
    assert len({result.request_id for _, result in generated}) == 1630
