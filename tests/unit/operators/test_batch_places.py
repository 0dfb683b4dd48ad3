"""Batches where the place, or what lies in it, is not as usual."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.unit.operators.conftest import NewTry

LAMPS = ["Lamp number 1", "Lamp number 2", "Lamp number 3"]


@pytest.fixture(scope="module")
def quick_sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(quota="100000/1", image_size=16)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(quick_sandbox: Sandbox) -> Iterator[Sandbox]:
    """A Claid without limits, with small pictures, as new for each test."""
    quick_sandbox.reset()
    yield quick_sandbox
    quick_sandbox.release()


def batch(**parameters: object) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(**{"task_id": "pictures", "prompts": LAMPS, **parameters})


@pytest.mark.parametrize(
    "spoiled",
    [
        {"checksums": None},
        {"paths": None},
        {"bytes": None},
        {"checksums": "abc"},
        {"paths": [7]},
        {"checksums": [["abc"]]},
        {"bytes": [None], "checksums": [None]},
        {"paths": []},
    ],
)
def test_a_spoiled_row_of_a_manifest_is_looked_up_in_its_receipt_and_stops_nobody(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, spoiled: dict[str, Any]
) -> None:
    summary = new_try()(batch(output=f"file://{tmp_path}/"))
    manifest = Path(summary["manifest"].removeprefix("file://"))
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows[1] |= spoiled
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = new_try(run_id="tuesday")(batch(output=f"file://{tmp_path}/"))
    assert (again["done"], again["reused"], again["credits"]) == (3, 3, 0)
    assert sandbox.charged() == 3
