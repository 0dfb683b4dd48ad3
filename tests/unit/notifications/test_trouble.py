"""Somebody is told where credits are gone, a limit is reached, answers are lost, or too much is blocked or fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from airflow_claid.notifications.trouble import ClaidNotifier
from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator, ImageResizeOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.pictures import noise
from tests.support.scripted_server import Reply, ScriptedServer
from tests.unit.operators.conftest import TaskInstance


@pytest.fixture
def claid(sandbox: Sandbox, connect: Connect) -> Sandbox:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra={"retries": 0})
    sandbox.change(blocked_words=("nude",))
    return sandbox


def told(operator: Any, **shares: Any) -> str | None:
    """Run a task and its callback as Airflow does; return what is told."""
    texts: list[str] = []
    context: Any = {"ti": TaskInstance(map_index=2), "task": operator}
    try:
        operator.execute(context)
    except Exception as error:  # noqa: BLE001 - as Airflow does
        context["exception"] = error
    ClaidNotifier(notifier=lambda context: texts.append(context["claid_trouble"]), **shares)(context)
    return texts[0] if texts else None


def lamps(folder: Path, *prompts: str, **parameters: Any) -> ImageGenerationBatchOperator:
    return ImageGenerationBatchOperator(
        task_id="l", prompts=list(prompts), output=f"file://{folder}/", error_threshold=1, **parameters
    )


def test_nothing_is_told_where_all_is_well(claid: Sandbox, tmp_path: Path) -> None:
    assert told(lamps(tmp_path, "A lamp"), blocked_share=0, failed_share=0) is None


@pytest.mark.parametrize("many", [False, True])
def test_credits_that_are_gone_are_told(claid: Sandbox, connect: Connect, tmp_path: Path, many: bool) -> None:
    claid.add_key("poor", credits=0)
    connect("claid_default", conn_type="claid", password="poor", host=claid.url)
    one = ImageGenerationOperator(task_id="l", prompt="A lamp", output=f"file://{tmp_path}/")
    text = told(lamps(tmp_path, "A lamp", "A vase") if many else one)
    assert text
    assert text.startswith("Task pictures [2] of DAG shop, run monday:\nClaid has no credits left: ")
    assert text.endswith("/dags/shop/runs/monday/tasks/pictures/mapped/2")


@pytest.mark.parametrize("many", [False, True])
def test_a_limit_that_is_reached_is_told(claid: Sandbox, tmp_path: Path, many: bool) -> None:
    one = ImageGenerationOperator(
        task_id="l", prompt="A lamp", number_of_images=2, max_credits=1, output=f"file://{tmp_path}/"
    )
    assert "\nmax_credits is reached: " in str(
        told(lamps(tmp_path, "A lamp", "A vase", max_credits=0) if many else one)
    )


def test_a_lost_answer_is_told(claid: Sandbox, tmp_path: Path) -> None:
    claid.fault("cut")
    one = ImageGenerationOperator(task_id="l", prompt="A lamp", output=f"file://{tmp_path}/")
    assert "\n1 answer lost, which may have cost 1 credit\n" in str(told(one))


def test_a_share_of_blocked_pictures_is_told_where_it_is_above_the_limit(claid: Sandbox, tmp_path: Path) -> None:
    prompts = ("A nude", "A lamp", "A vase", "A chair")
    assert "\n25.0% blocked, and more than 20.0% is told\n" in str(told(lamps(tmp_path, *prompts), blocked_share=0.2))
    assert told(lamps(tmp_path, *prompts), blocked_share=0.25) is None
    assert told(lamps(tmp_path, *prompts)) is None


def test_a_share_of_failed_pictures_is_told_where_it_is_above_the_limit(claid: Sandbox, tmp_path: Path) -> None:
    assert "\n50.0% failed" in str(told(lamps(tmp_path, "A lamp", "x"), failed_share="0.1"))
    (tmp_path / "a.png").write_bytes(noise())
    paths = [f"file://{tmp_path}/a.png", f"file://{tmp_path}/none.png"]
    resize = ImageResizeOperator(
        task_id="l", input=paths, width=20, output=f"file://{tmp_path}/small/", on_error="continue"
    )
    assert "\n50.0% failed" in str(told(resize, failed_share=0.1))


def test_another_notifier_has_the_text_in_its_templates(claid: Sandbox, tmp_path: Path) -> None:
    class Mail(BaseNotifier):
        template_fields = ("text",)

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

        def notify(self, context: Any) -> None:
            sent.append(self.text)

    sent: list[str] = []
    context: Any = {"ti": TaskInstance(), "task": None, "exception": None}
    ClaidNotifier(notifier=Mail("{{ claid_trouble }}"), blocked_share=0.1)(context)
    assert sent == []
    operator = lamps(tmp_path, "A nude")
    operator.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
    ClaidNotifier(notifier=Mail("Look: {{ claid_trouble }}"), blocked_share=0.1)(context | {"task": operator})
    assert sent[0].startswith("Look: Task pictures of DAG shop")


def test_the_webhook_gets_it(claid: Sandbox, tmp_path: Path, scripted: ScriptedServer, connect: Connect) -> None:
    connect("webhook", conn_type="http", host=f"{scripted.url}/services", password="T0/B0")
    scripted.replies(Reply(200, b"ok"))
    operator = lamps(tmp_path, "A nude")
    operator.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
    context: Any = {"ti": TaskInstance(), "task": operator, "dag": None}
    ClaidNotifier(webhook_conn_id="webhook", blocked_share=0.5)(context)
    (received,) = scripted.received
    assert received.path == "/services/T0/B0"
    assert "100.0% blocked" in received.json()["text"]


@pytest.mark.parametrize("share", [2, -0.1, True, "many"])
def test_what_is_no_share_is_refused_when_the_dag_is_parsed(share: Any) -> None:
    with pytest.raises(ValueError, match=r"blocked_share=.* must be a share from 0 to 1"):
        ClaidNotifier(webhook_conn_id="webhook", blocked_share=share)


def test_it_has_either_a_webhook_or_a_notifier() -> None:
    with pytest.raises(ValueError, match="either webhook_conn_id or notifier"):
        ClaidNotifier()
