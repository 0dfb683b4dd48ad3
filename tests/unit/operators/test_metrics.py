"""What a task pays for is told to Airflow's metrics, with names and tags that the page of metrics has."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from airflow_claid.client import ClaidError, GenerateRequest
from airflow_claid.client.spending.limits import SpendLimit
from airflow_claid.operators import ImageEditOperator, ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.operators.bases.metrics import TaskMetrics
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.places import generation_place
from tests.conftest import Connect
from tests.docs.pages import PAGES, spans
from tests.unit.operators.conftest import NewTry

DOCS = Path(__file__).parents[3] / "docs"
TASK = {"task_id": "pictures", "connection": "claid_default"}

Tags = dict[str, str]


@dataclass
class FakeStats:
    """Airflow's metrics, kept in lists."""

    counted: list[tuple[str, float, Tags]] = field(default_factory=list)
    gauges: list[tuple[str, float, Tags]] = field(default_factory=list)

    def incr(self, name: str, count: float, *, tags: Tags) -> None:
        assert count > 0
        self.counted.append((name, count, tags))

    def decr(self, name: str, count: float, *, tags: Tags) -> None:
        assert count > 0
        self.counted.append((name, -count, tags))

    def gauge(self, name: str, value: float, *, tags: Tags) -> None:
        self.gauges.append((name, value, tags))

    @property
    def sums(self) -> dict[str, float]:
        """The sum of each counter, over all tags."""
        sums: Counter[str] = Counter()
        for name, number, _ in self.counted:
            sums[name] += number  # type: ignore[assignment]
        return dict(sums)

    def tags(self, name: str) -> Tags:
        """The tags of a metric, without the DAG, which each test's operator makes up."""
        (tags, *_) = [tags for one, _, tags in [*self.counted, *self.gauges] if one == name]
        return {key: tag for key, tag in tags.items() if key != "dag_id"}


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStats]:
    """The metrics; at the end, each that was sent must be on the page of metrics with its tags."""
    stats = FakeStats()
    monkeypatch.setattr("airflow_claid.operators.bases.metrics.Stats", stats)
    yield stats
    documented = metrics_on_the_page()
    for name, _, tags in [*stats.counted, *stats.gauges]:
        assert set(tags) == documented[name], name


def metrics_on_the_page() -> dict[str, set[str]]:
    """The metrics of docs/metrics.md, and the tags of each."""
    (page,) = [page for page in PAGES if page.path == DOCS / "metrics.md"]
    (table,) = [table for table in page.tables if table.header[0] == "Metric"]
    return {spans(row[0])[0]: set(spans(row[2])) for row in table.rows}


def test_credits_and_pictures_are_counted_once(
    stats: FakeStats, new_try: NewTry, sandbox: Sandbox, tmp_path: Path
) -> None:
    task = partial(
        ImageGenerationOperator,
        task_id="pictures",
        prompt="A brass lamp",
        number_of_images=3,
        output=f"file://{tmp_path}/",
    )
    new_try()(task())
    new_try()(task())
    assert stats.sums == {"claid.credits": sandbox.charged(), "claid.pictures": 3}
    assert stats.tags("claid.credits") == {**TASK, "operation": "generate_image"}


def test_blocked_pictures_are_counted_by_themselves(stats: FakeStats, new_try: NewTry, tmp_path: Path) -> None:
    new_try()(
        ImageGenerationOperator(
            task_id="pictures",
            prompt="nude portrait",
            number_of_images=2,
            output=f"file://{tmp_path}/",
            on_blocked="keep",
        )
    )
    assert stats.sums == {"claid.credits": 2, "claid.blocked_pictures": 2}


def test_lost_answers_and_refusals_are_counted(
    stats: FakeStats, new_try: NewTry, sandbox: Sandbox, tmp_path: Path
) -> None:
    task = partial(ImageGenerationOperator, task_id="pictures", prompt="A brass lamp", output=f"file://{tmp_path}/")
    sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(ClaidError):
        new_try()(task())
    assert stats.sums == {"claid.lost_answers": 1, "claid.credits_in_doubt": 1}
    sandbox.fault("429", operation="generate_image", seconds=0.0)
    new_try(try_number=2)(task(lost_response_grace=0))
    assert stats.sums["claid.refusals"] == 1
    assert stats.tags("claid.refusals") == {**TASK, "operation": "generate_image", "status": "429"}
    assert stats.sums["claid.credits"] == 1


def test_a_lost_answer_that_is_found_is_charged(
    stats: FakeStats, new_try: NewTry, sandbox: Sandbox, connect: Connect, tmp_path: Path
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    task = partial(ImageGenerationOperator, task_id="pictures", prompt="A brass lamp", output="storage://shop/lamps/")
    sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(ClaidError):
        new_try()(task())
    new_try(try_number=2)(task())
    assert stats.sums == {
        "claid.lost_answers": 1,
        "claid.credits_in_doubt": 1,
        "claid.credits": sandbox.charged(),
        "claid.pictures": 1,
    }


def test_a_batch_tells_its_jobs_and_the_quota(
    stats: FakeStats, new_try: NewTry, sandbox: Sandbox, tmp_path: Path
) -> None:
    prompts = [f"Lamp {number}" for number in range(5)]
    new_try()(ImageGenerationBatchOperator(task_id="pictures", prompts=prompts, output=f"file://{tmp_path}/"))
    assert stats.sums == {"claid.credits": sandbox.charged(), "claid.pictures": 5}
    *_, (_, jobs, _) = [gauge for gauge in stats.gauges if gauge[0] == "claid.waiting_jobs"]
    *_, (_, used, _) = [gauge for gauge in stats.gauges if gauge[0] == "claid.quota_used"]
    assert jobs == 0
    assert 0 <= used <= 1
    assert stats.tags("claid.waiting_jobs") == TASK


def test_a_task_with_jobs_says_at_its_end_that_none_is_waited_for(
    stats: FakeStats, new_try: NewTry, sandbox: Sandbox, tmp_path: Path
) -> None:
    (link,) = new_try()(ImageGenerationOperator(task_id="pictures", prompt="A lamp"))
    stats.gauges.clear()
    small = {"resizing": {"width": 32}}
    new_try()(
        ImageEditOperator(task_id="pictures", input=link, output=f"file://{tmp_path}/", operations=small, name="small")
    )
    assert [value for name, value, _ in stats.gauges if name == "claid.waiting_jobs"] == [0]


def test_a_spend_limit_is_told_without_what_differs_between_its_tasks(stats: FakeStats) -> None:
    TaskMetrics("shop", "pictures", "claid_default").spend_limit_used(SpendLimit("DAG shop", 100, "month"), 12.5)
    tags = {"limit": "DAG_shop", "per": "month", "connection": "claid_default"}
    assert stats.gauges == [("claid.spend_limit.used", 12.5, tags), ("claid.spend_limit.allowed", 100, tags)]


def test_a_price_that_turns_out_lower_is_taken_off(stats: FakeStats, any_order: GenerateOrder) -> None:
    metrics = TaskMetrics("shop", "pictures", "claid_default")
    metrics.charged(any_order, 3)
    metrics.charged(any_order, -1)
    metrics.charged(any_order, 0)
    assert stats.sums == {"claid.credits": 2}
    assert len(stats.counted) == 2


@pytest.fixture
def any_order(tmp_path: Path) -> GenerateOrder:
    place = generation_place(f"file://{tmp_path}/")
    return GenerateOrder(base_url="http://claid/v1", place=place, name=None, request=GenerateRequest.of("A brass lamp"))


def test_metrics_that_cannot_be_sent_do_not_fail_a_task(
    monkeypatch: pytest.MonkeyPatch, any_order: GenerateOrder
) -> None:
    class Broken(FakeStats):
        def incr(self, name: str, count: float, *, tags: Tags) -> None:
            raise OSError("no route to host")

    monkeypatch.setattr("airflow_claid.operators.bases.metrics.Stats", Broken())
    TaskMetrics("shop", "pictures", "claid_default").charged(any_order, 1)


def test_the_dashboard_shows_each_metric_by_names_and_tags_that_there_are() -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    documented = metrics_on_the_page()
    shown = set[str]()
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in panels:
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert set(panel["gridPos"]) == {"h", "w", "x", "y"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel["targets"]:
            names = re.findall(r'__name__=~"airflow_(\w+?)(?:\(_total\)\?)?"', target["expr"])
            assert names, target["expr"]
            for name in names:
                (metric,) = [one for one in documented if one.replace(".", "_") == name]
                shown.add(metric)
                for tags in re.findall(r"by \(([\w, ]+)\)", target["expr"]):
                    assert set(tags.split(", ")) <= documented[metric], target["expr"]
    assert shown == documented.keys()
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [(place["x"] + x, place["y"] + y) for place in places for x in range(place["w"]) for y in range(place["h"])]
    assert len(cells) == len(set(cells)), "two panels overlap"
    assert {"schemaVersion", "title", "uid", "templating", "time", "tags"} <= dashboard.keys()
    (variable,) = [one for one in dashboard["templating"]["list"] if one["type"] == "datasource"]
    assert variable["name"] == "datasource"
