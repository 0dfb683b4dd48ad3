"""Whatever happens on a connection, no picture is ever delivered under another product's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_claid.errors import AirflowClaidError
from airflow_claid.operators import ImageEditOperator, ImageGenerationBatchOperator
from airflow_claid.sandbox import Sandbox
from airflow_claid.sandbox.drawing.pictures import Recipe, png
from tests.conftest import SMALL
from tests.support.sandbox_client import Client
from tests.unit.operators.conftest import NewTry

PROMPTS = [{"name": f"lamp-{number}", "prompt": f"Lamp number {number}"} for number in range(1, 7)]
OTHER = {"text": "Lamp number 5"}


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    ("dialect", "held", "done", "charged"),
    [
        ({"informational": [102]}, False, 6, 6),
        ({"informational": [103, 103], "prompt": "number 3"}, True, 6, 6),
        ({"informational": [100, 102, 103]}, True, 6, 6),
        ({"late": True, "count": 1}, False, 6, 7),
        ({"late": True, "count": 1, "prompt": "number 3"}, False, 6, 7),
        ({"late": True, "count": 2, "status": 500}, False, 6, 8),
        ({"values": {"data.input": OTHER}, "prompt": "number 3", "count": 1}, False, 5, 6),
    ],
)
def test_every_picture_of_a_batch_is_that_of_its_own_prompt(
    sandbox: Sandbox,
    new_try: NewTry,
    tmp_path: Path,
    dialect: dict[str, Any],
    held: bool,
    done: int,
    charged: float,
    concurrency: int,
) -> None:
    """A request whose answer came late is paid for again in the next try; no other is."""
    sandbox.dialect(operation="generate_image", **dialect)
    if held:
        sandbox.fault("hold", operation="generate_image", prompt="number 3", seconds=0.1)
    operator = ImageGenerationBatchOperator(
        task_id="pictures", prompts=PROMPTS, output=f"file://{tmp_path}/out/", concurrency=concurrency
    )
    for number in range(1, 4):
        try:
            new_try(try_number=number)(operator)
        except AirflowFailException:
            break
        except AirflowException:
            continue
        break
    delivered = {path.name.removesuffix("_1.png"): path.read_bytes() for path in (tmp_path / "out").glob("lamp-*.png")}
    expected = {row["name"]: png(Recipe(row["prompt"], 1, 1, SMALL, SMALL)) for row in PROMPTS}
    assert delivered == {name: expected[name] for name in delivered}
    assert (len(delivered), sandbox.charged()) == (done, charged)


def test_a_poll_that_answers_with_another_jobs_id_is_not_believed(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    photo = Client(sandbox).picture_address()
    sandbox.dialect(operation="get_edit", values={"data.id": 7})
    operator = ImageEditOperator(
        task_id="edit",
        input=photo,
        operations={"resizing": {"width": 16, "fit": "bounds"}},
        output=f"file://{tmp_path}/out/",
        poll_interval=0.05,
        timeout=1,
    )
    with pytest.raises(AirflowClaidError, match="about job 7"):
        new_try()(operator)
    assert not list((tmp_path / "out").glob("*.*"))
    assert len(sandbox.ledger("submit_edit")) == 1
