"""A review: what is shown, what an answer means, and what goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pendulum
import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.standard.operators import hitl
from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.approval import Rejection
from airflow_claid.manifests import join_manifests, read_manifest
from airflow_claid.operators import (
    ImageGenerationBatchOperator,
    ImageGenerationOperator,
    ImageReviewOperator,
    ImageUpscaleBatchOperator,
)
from airflow_claid.plugins.gallery.pictures import Where, from_manifest, from_xcom
from airflow_claid.sandbox import Sandbox
from airflow_claid.version_compat import AirflowFailException
from tests.unit.operators.conftest import NewTry, TaskInstance

try:
    from airflow.sdk.exceptions import TaskAwaitingInput as Waiting
except ImportError:
    from airflow.providers.common.compat.sdk import TaskDeferred as Waiting  # type: ignore[assignment,unused-ignore]

ANNA = {"id": "7", "name": "anna"}
IMAGES = [
    {"path": f"file:///shop/{name}.png", "name": name, "prompt": f"A {name.lower()}", "blocked": False, "credits": 1.0}
    for name in ("SOFA", "LAMP", "VASE")
]
PATHS = [image["path"] for image in IMAGES]


@dataclass
class ReviewTask(TaskInstance):
    """A task instance that keeps its XComs while it waits."""

    id: Any = field(default_factory=uuid4)

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.pushed[key]


class Review:
    """One review: asked by a first process, answered to a second."""

    def __init__(self, **parameters: Any) -> None:
        self.parameters = {"task_id": "review", **parameters}
        self.ti = ReviewTask(task_id="review")
        self.questions: list[dict[str, Any]] = []

    def operator(self) -> ImageReviewOperator:
        return ImageReviewOperator(**self.parameters)

    def ask(self) -> dict[str, Any]:
        with pytest.raises(Waiting):
            self.start()
        (question,) = self.questions
        return question

    def start(self) -> Any:
        operator = self.operator()
        return operator.execute({"ti": self.ti, "task_instance": self.ti, "task": operator})  # type: ignore[arg-type,typeddict-item]

    def answer(
        self, *chosen: str, comment: str = "", by: Mapping[str, str] | None = ANNA, **params: str
    ) -> Sequence[str]:
        event = {
            "chosen_options": list(chosen),
            "params_input": {"comment": comment, **params},
            "responded_at": datetime.now(timezone.utc),
            "responded_by_user": by,
        }
        return self.operator().execute_complete({"ti": self.ti}, event)  # type: ignore[typeddict-item]

    @property
    def rejected(self) -> list[dict[str, Any]]:
        rejected: list[dict[str, Any]] = self.ti.pushed["rejected"]
        return rejected


NewReview = Callable[..., Review]


@pytest.fixture
def review(monkeypatch: pytest.MonkeyPatch) -> NewReview:
    def make(**parameters: Any) -> Review:
        made = Review(**parameters)
        monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **question: made.questions.append(question))
        return made

    return make


def test_one_answer_approves_or_rejects_all(review: NewReview) -> None:
    for chosen, approved in (("Approve", PATHS), ("Reject", [])):
        one = review(input=PATHS)
        question = one.ask()
        assert (question["options"], question["multiple"]) == (["Approve", "Reject"], False)
        assert one.answer(chosen) == approved
        assert [entry["path"] for entry in one.rejected] == [path for path in PATHS if path not in approved]


@pytest.mark.parametrize(
    ("select", "chosen", "approved"),
    [
        ("rejected", ["2. LAMP"], [0, 2]),
        ("rejected", ["Approve all"], [0, 1, 2]),
        ("rejected", ["Approve all", "1. SOFA"], [1, 2]),
        ("rejected", ["Reject all"], []),
        ("rejected", ["Reject all", "1. SOFA"], []),
        ("approved", ["2. LAMP"], [1]),
        ("approved", ["Reject all"], []),
        ("approved", ["Reject all", "1. SOFA"], [0]),
        ("approved", ["Approve all", "1. SOFA"], [0, 1, 2]),
    ],
)
def test_a_choice_is_of_what_is_named(review: NewReview, select: str, chosen: list[str], approved: list[int]) -> None:
    one = review(input=IMAGES, select=select)
    question = one.ask()
    assert question["options"] == ["Approve all", "Reject all", "1. SOFA", "2. LAMP", "3. VASE"]
    assert question["multiple"]
    assert one.answer(*chosen) == [PATHS[position] for position in approved]


def test_an_answer_that_contradicts_itself_is_refused(review: NewReview) -> None:
    one = review(input=IMAGES, select="rejected")
    one.ask()
    with pytest.raises(AirflowFailException, match=r"both 'Approve all' and 'Reject all': clear the task"):
        one.answer("Approve all", "Reject all")


def test_who_rejected_what_and_why_is_pushed(review: NewReview) -> None:
    one = review(input=IMAGES, select="rejected")
    one.ask()
    one.answer("3. VASE", comment=" too dark ")
    (rejected,) = one.rejected
    assert rejected == {
        "path": PATHS[2],
        "name": "VASE",
        "prompt": "A vase",
        "reviewer": "anna",
        "comment": "too dark",
    }
    states = [
        from_xcom(Where("d", "r", "t", -1, 0), image, datetime.now(timezone.utc)) for image in one.ti.pushed["images"]
    ]
    assert [(state.state, state.error) for state in states] == [
        ("reused", None),
        ("reused", None),
        ("rejected", "Rejected by anna: too dark"),
    ]
    assert [state.shown for state in states] == PATHS


def test_pictures_are_shown_by_the_gallery_with_their_text_as_text(review: NewReview) -> None:
    evil = {**IMAGES[0], "name": "a|b", "prompt": "![x](http://evil/) <script>\n# [y](z)"}
    body = review(input=[[evil], IMAGES[1:]], instructions="**Look** at the legs").ask()["body"]
    first, _, *rows = body.splitlines()
    assert first == "**Look** at the legs"
    page = "/claid/images/dags/shop/runs/monday/tasks/review/-1"
    assert rows[:2] == ["| | | |", "| --- | --- | --- |"]
    assert [f"({page}/{row}/0/thumbnail)](" + f"{page}/{row})" in rows[2] for row in range(3)] == [True] * 3
    assert r"\!\[x\]\(http\:\/\/evil\/\) \<script\> \# \[y\]\(z\)" in rows[3]
    assert r"a\|b" in rows[3]
    assert len(rows) == 4


def test_the_comment_may_be_left_out(review: NewReview) -> None:
    params = review(input=PATHS).ask()["params"]
    comment = params["comment"] or {"value": None, "schema": {"type": "null"}}  # before Airflow 3.1.3: the bare values
    assert comment["value"] is None
    assert "null" in comment["schema"]["type"]


def test_addresses_of_pictures_follow_airflows_own(review: NewReview, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://host:8080/airflow/")
    assert "(/airflow/claid/images/dags/shop/" in review(input=PATHS).ask()["body"]


def test_without_the_gallery_paths_are_listed(review: NewReview, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CLAID__GALLERY", "False")
    lines = review(input=["https://shop/a.png?token=secret", *PATHS[:1]]).ask()["body"].splitlines()
    assert len(lines) == 2
    assert lines[1] == r"- **1\. SOFA\.png** file\:\/\/\/shop\/SOFA\.png".replace("1", "2", 1)
    assert "secret" not in lines[0]


def test_blocked_pictures_are_not_reviewed_and_nobody_is_asked_about_none(review: NewReview) -> None:
    blocked = {**IMAGES[0], "path": None, "blocked": True}
    assert review(input=[blocked, IMAGES[1]], select="rejected").ask()["options"][2:] == ["1. LAMP"]
    none = review(input=[blocked])
    assert none.start() == []
    assert none.questions == []
    assert none.rejected == []


def test_a_default_answers_when_nobody_does(review: NewReview) -> None:
    one = review(input=IMAGES, select="rejected", default="reject", response_timeout=timedelta(hours=1))
    assert one.ask()["defaults"] == ["Reject all"]
    assert one.answer("Reject all", by=None) == []
    assert {entry["reviewer"] for entry in one.rejected} == {None}
    assert Rejection(None, None).text == "Rejected: nobody answered in time"


def test_a_duration_of_pendulums_reaches_airflow_as_one_that_it_can_send() -> None:
    operator = ImageReviewOperator(task_id="review", input=PATHS, response_timeout=pendulum.duration(days=3))
    assert type(operator.response_timeout) is timedelta
    assert operator.response_timeout == timedelta(days=3)


def test_before_airflow_3_3_a_trigger_waits_for_one_of_the_same_options(
    review: NewReview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hitl, "AIRFLOW_V_3_3_PLUS", False, raising=False)
    one = review(input=IMAGES, select="rejected", default="approve")
    with pytest.raises(TaskDeferred) as deferred:
        one.start()
    trigger = deferred.value.trigger
    assert (trigger.options, trigger.defaults, trigger.multiple) == (one.questions[0]["options"], ["Approve all"], True)
    assert one.answer("2. LAMP") == [PATHS[0], PATHS[2]]


def test_approvers_and_other_questions_are_passed_on(review: NewReview) -> None:
    one = review(input=PATHS, approvers=["anna", {"id": "8", "name": "ben"}], params={"season": "spring"})
    question = one.ask()
    assert question["assigned_users"] == [{"id": "anna", "name": "anna"}, {"id": "8", "name": "ben"}]
    assert set(question["params"]) == {"comment", "season"}
    assert one.answer("Approve", season="autumn") == PATHS


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"select": "some"}, "select='some' must be one of all, approved, rejected"),
        ({"default": "maybe"}, "default='maybe' must be one of approve, reject"),
        ({"sample": 0}, "sample=0 must be a whole number, 1 to 200"),
        ({"sample": 201}, "sample=201"),
        ({"approvers": [7]}, "approvers=7 must be the id of a user"),
    ],
)
def test_a_wrong_parameter_fails_when_the_dag_is_parsed(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match=said):
        ImageReviewOperator(task_id="review", input=PATHS, **parameters)


def test_what_is_no_list_of_pictures_is_refused(review: NewReview) -> None:
    for value, said in (([{"uri": "x"}], "must be paths"), (["a.png"] * 201, "has 201 pictures")):
        with pytest.raises(AirflowFailException, match=said):
            review(input=value).start()


def test_results_of_a_single_operator_are_reviewed_and_cost_nothing(
    review: NewReview, new_try: NewTry, sandbox: Sandbox, tmp_path: Path
) -> None:
    made = new_try()
    paths = made(
        ImageGenerationOperator(task_id="g", prompt="A sofa", number_of_images=2, output=f"file://{tmp_path}/")
    )
    one = review(input=made.images, select="approved")
    question = one.ask()
    assert one.answer(question["options"][3]) == [paths[1]]
    assert [entry["prompt"] for entry in one.rejected] == ["A sofa"]
    assert all(image["credits"] == 0 for image in one.ti.pushed["images"])
    assert sandbox.charged() == 2


@pytest.fixture
def batch(new_try: NewTry, tmp_path: Path) -> str:
    """The manifest of twelve products, of which one is blocked."""
    prompts = [{"name": f"SKU-{number:02}", "prompt": f"Product {number} on a table"} for number in range(12)]
    prompts[5]["prompt"] = "A nude study"
    task = new_try()
    task(ImageGenerationBatchOperator(task_id="b", prompts=prompts, output=f"file://{tmp_path}/", error_threshold=1))
    return str(task.ti.pushed["manifest"])


def test_a_sample_of_a_manifest_is_spread_evenly_and_always_the_same(review: NewReview, batch: str) -> None:
    samples = [review(input=batch, sample=4, select="rejected").ask()["options"][2:] for _ in range(2)]
    assert samples[0] == samples[1] == ["1. SKU-00", "2. SKU-03", "3. SKU-07", "4. SKU-11"]


def test_rejected_rows_are_passed_over_by_the_next_batch(
    review: NewReview, batch: str, new_try: NewTry, sandbox: Sandbox, tmp_path: Path
) -> None:
    before, paid = ObjectStoragePath(batch).read_bytes(), sandbox.charged()
    one = review(input=batch, sample=4, select="rejected")
    one.ask()
    (approved,) = one.answer("2. SKU-03", comment="crooked")
    assert approved == one.ti.pushed["manifest"] == batch.replace(".jsonl", "-approved.jsonl")
    assert (ObjectStoragePath(batch).read_bytes(), sandbox.charged()) == (before, paid)
    rows = list(read_manifest(approved))
    assert [row.name for row in rows if row.status == "rejected"] == ["SKU-03"]
    assert sum(row.status == "done" for row in rows) == 10
    (row,) = (row for row in rows if row.status == "rejected")
    assert (row.paths, row.raw["reviewer"], row.raw["comment"]) == ((), "anna", "crooked")
    shown = from_manifest(Where("d", "r", "t", -1, 0), row.raw)
    assert (shown.state, shown.error, len(shown.paths)) == ("rejected", "Rejected by anna: crooked", 1)

    upscale = new_try(task_id="upscale")
    summary = upscale(
        ImageUpscaleBatchOperator(task_id="u", input=approved, scale="200%", output=f"file://{tmp_path}/large/")
    )
    assert (summary["done"], summary["skipped"]) == (10, 2)
    statuses = {product.name: product.status for product in join_manifests(approved, summary["manifest"])}
    assert (statuses["SKU-03"], statuses["SKU-05"], statuses["SKU-00"]) == ("rejected", "blocked", "done")


@pytest.mark.parametrize(
    ("select", "chosen", "rejected"),
    [("all", "Reject", 11), ("all", "Approve", 0), ("rejected", "Reject all", 11), ("approved", "1. SKU-00", 1)],
)
def test_what_was_not_in_the_sample_is_rejected_by_an_answer_for_all_only(
    review: NewReview, batch: str, select: str, chosen: str, rejected: int
) -> None:
    one = review(input=batch, sample=2, select=select)
    one.ask()
    (approved,) = one.answer(chosen)
    assert sum(row.status == "rejected" for row in read_manifest(approved)) == rejected
    assert len(one.rejected) == min(2, rejected)


def test_a_manifest_that_was_written_anew_during_the_review_is_refused(
    review: NewReview, batch: str, tmp_path: Path
) -> None:
    one = review(input=batch, sample=2)
    one.ask()
    path = ObjectStoragePath(batch)
    path.write_bytes(path.read_bytes().replace(b"SKU-00_1.png", b"SKU-99_1.png"))
    with pytest.raises(AirflowFailException, match="written anew since it was reviewed: row 1"):
        one.answer("Approve")


def test_the_approved_manifest_never_replaces_the_reviewed_one(review: NewReview, batch: str) -> None:
    with pytest.raises(AirflowFailException, match="is the one that is reviewed"):
        review(input=batch, manifest=batch).start()


@pytest.mark.commands
def test_other_operators_are_imported_without_the_provider_that_asks() -> None:
    code = (
        "import sys, airflow_claid.operators as operators\n"
        "assert not [name for name in sys.modules if name.startswith('airflow.providers.standard.operators')]\n"
        "assert operators.ImageReviewOperator.__name__ in operators.__all__"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.commands
def test_without_that_provider_the_error_says_what_to_install() -> None:
    code = (
        "import sys\nsys.modules['airflow.providers.standard.operators.hitl'] = None\n"
        "import airflow_claid.operators as operators\noperators.ImageReviewOperator"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert "pip install 'airflow-claid[review]'" in done.stderr
