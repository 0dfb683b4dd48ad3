"""The example ``review.py`` in a real Airflow, answered by its REST API: what is rejected is made anew."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from airflow_claid.sandbox import Sandbox
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import ROOT, Airflow

GENERATED, UPSCALED = "generate_image", "upload_and_edit"


@pytest.fixture
def airflow_with_reviews(own_sandbox: Sandbox, tmp_path: Path) -> Iterator[Standalone]:
    home, dags = tmp_path / "airflow", tmp_path / "dags"
    home.mkdir()
    dags.mkdir()
    shutil.copy(ROOT / "dags_examples" / "review.py", dags)
    claid = {"conn_type": "claid", "password": own_sandbox.api_key, "host": own_sandbox.url}
    with standalone(Airflow(home, dags, {"claid_default": claid}), path="/airflow") as running:
        yield running


def test_what_a_person_rejects_is_made_anew_and_only_what_is_approved_is_enlarged(
    airflow_with_reviews: Standalone, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    airflow = airflow_with_reviews
    conf = {"output": f"file://{tmp_path}/pictures/"}
    run = airflow.trigger("review", conf)

    question = asked(airflow, run, "review")
    assert question["options"] == ["Approve all", "Reject all", "1. SOFA", "2. LAMP", "3. VASE"]
    assert own_sandbox.charged() == 3
    thumbnails = re.findall(r"\((/airflow/[^)]*/thumbnail)\)", question["body"])
    assert len(thumbnails) == 3
    for address in thumbnails:
        shown = airflow.get(address.removeprefix("/airflow/"), airflow.token(None))
        assert shown.status_code == 200
        with Image.open(BytesIO(shown.content)) as image:
            assert image.format == "WEBP"

    answer(airflow, run, "review", ["2. LAMP", "3. VASE"], "in warm light")
    question = asked(airflow, run, "review_anew")
    assert question["options"][2:] == ["1. LAMP-2", "2. VASE-2"]
    answer(airflow, run, "review_anew", ["2. VASE-2"], "")
    assert airflow.ended("review", run) == "success", airflow.logs()[-3000:]

    rejected = airflow.xcom("review", run, "review", "rejected")
    assert [(one["name"], one["comment"]) for one in rejected] == [
        ("LAMP", "in warm light"),
        ("VASE", "in warm light"),
    ]
    assert all(one["reviewer"] and Path(one["path"].removeprefix("file://")).exists() for one in rejected)
    prompts = {entry.prompt for entry in own_sandbox.ledger() if entry.operation == GENERATED}
    assert {
        "A brass floor lamp on a pale wall, in warm light",
        "A stoneware vase on an oak table, in warm light",
    } <= prompts
    enlarged = sorted(file.name for file in (tmp_path / "pictures" / "enlarged").glob("*.*"))
    assert [name.partition("_")[0].partition(".")[0] for name in enlarged] == ["LAMP-2", "SOFA"]
    assert Counter(entry.operation for entry in own_sandbox.ledger() if entry.credits) == {GENERATED: 5, UPSCALED: 2}
    assert own_sandbox.charged() == 7

    second = airflow.trigger("review", conf)
    asked(airflow, second, "review")
    answer(airflow, second, "review", ["Approve all"], "")
    assert airflow.ended("review", second) == "success", airflow.logs()[-3000:]
    assert own_sandbox.charged() == 7 + 2, "only the two that were not enlarged before are paid for"


def path_of(run: str, task: str) -> str:
    return f"dags/review/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"


def asked(airflow: Standalone, run: str, task: str) -> dict[str, Any]:
    """Wait until a task waits for an answer, and Airflow's scheduler knows that it does; return its question.

    An answer that comes before takes the task for one that was killed: Airflow tries it again, and asks again.
    """
    known = re.compile(rf"TaskInstance Finished: [^\n]* task_id={task}, run_id={re.escape(run)},[^\n]* state=(\w+)")
    states = {"awaiting_input", "deferred"}
    airflow.until(lambda: bool(states & {found[1] for found in known.finditer(airflow.scheduler(lines=None))}), 180)
    question: dict[str, Any] = airflow.call("GET", path_of(run, task))
    return question


def answer(airflow: Standalone, run: str, task: str, chosen: list[str], comment: str) -> None:
    airflow.call("PATCH", path_of(run, task), chosen_options=chosen, params_input={"comment": comment})
