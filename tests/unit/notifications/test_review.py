"""A message that a review waits, posted to a webhook whose address nobody reads."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_claid.notifications.review import ReviewNotifier, required_actions_page
from airflow_claid.version_compat import AirflowException
from tests.conftest import Connect
from tests.support.scripted_server import Reply, ScriptedServer

SECRET = "T000/B000/abcdef"


def waiting(pictures: int = 3, map_index: int = -1) -> Any:
    ti = SimpleNamespace(dag_id="shop", run_id="manual__2026+1", task_id="group.review", map_index=map_index)
    return {"ti": ti, "task": SimpleNamespace(number_of_pictures=pictures), "dag": None}


@pytest.fixture
def webhook(scripted: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.shop/base/")
    connect("webhook", conn_type="http", host=f"{scripted.url}/services", password=SECRET)
    scripted.replies(Reply(200, b"ok"))
    return scripted


def test_it_says_what_waits_and_links_to_the_page_of_the_answer(webhook: ScriptedServer) -> None:
    ReviewNotifier(webhook_conn_id="webhook")(waiting())
    (received,) = webhook.received
    assert (received.method, received.path) == ("POST", f"/services/{SECRET}")
    assert received.json() == {
        "text": "3 pictures wait for a review: task group.review of DAG shop, run manual__2026+1\n"
        "https://airflow.shop/base/dags/shop/runs/manual__2026%2B1/tasks/group.review/required_actions"
    }


def test_a_mapped_task_is_named_with_its_index(webhook: ScriptedServer) -> None:
    ReviewNotifier(webhook_conn_id="webhook")(waiting(1, map_index=2))
    text = webhook.received[0].json()["text"]
    assert text.startswith("1 picture waits for a review: task group.review [2] of DAG shop")
    assert text.endswith("/tasks/group.review/mapped/2/required_actions")


def test_a_message_of_ones_own_is_templated(webhook: ScriptedServer) -> None:
    ReviewNotifier(webhook_conn_id="webhook", message="Please look at {{ ti.dag_id }}")(waiting())
    assert webhook.received[0].json()["text"].startswith("Please look at shop\nhttps://")


@pytest.mark.parametrize(
    ("reply", "said"), [(Reply(403, b"no_service"), "HTTP 403"), (Reply(cut=True), "ConnectionError")]
)
def test_a_message_that_cannot_be_sent_is_logged_without_the_address(
    webhook: ScriptedServer,
    reply: Reply,
    said: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    webhook.replies(reply)
    with caplog.at_level(logging.INFO):
        ReviewNotifier(webhook_conn_id="webhook")(waiting())
    told = caplog.text + capsys.readouterr().out
    assert said in told
    assert SECRET not in told
    with pytest.raises(AirflowException, match=f"by the connection 'webhook' .{said}") as failed:
        ReviewNotifier(webhook_conn_id="webhook", fail=True)(waiting())
    assert SECRET not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_missing_connection_does_not_end_the_review() -> None:
    ReviewNotifier(webhook_conn_id="nowhere")(waiting())


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"password": None}, "/services"),
        ({"password": "/x"}, "/services/x"),
        ({"password": "x", "host": "{host}", "port": "{port}", "schema": "http"}, "/x"),
    ],
)
def test_the_address_is_that_of_the_connection(
    webhook: ScriptedServer, connect: Connect, fields: dict[str, Any], path: str
) -> None:
    host, _, port = webhook.url.removeprefix("http://").partition(":")
    known = {"host": f"{webhook.url}/services", **fields}
    if known["host"] == "{host}":
        known |= {"host": host, "port": int(port)}
    connect("webhook", conn_type="http", **known)
    ReviewNotifier(webhook_conn_id="webhook")(waiting())
    assert webhook.received[0].path == path


def test_the_page_of_a_task_that_is_not_mapped() -> None:
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=None)
    assert required_actions_page(ti).endswith("/dags/d/runs/r/tasks/t/required_actions")
