"""Spend limits as DAG authors and operations people set them, and what tasks do when one is reached."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_claid.errors import SpendLimitError, SpendStoreError
from airflow_claid.operators import ImageFolderEditOperator, ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.operators.bases.paying import failing_at_once
from airflow_claid.sandbox import Sandbox
from airflow_claid.version_compat import HAS_RETRY_POLICY
from tests.conftest import Connect
from tests.support.buyer import Buyer
from tests.support.processes import free_port
from tests.support.redis import redis_process
from tests.support.spending import forget
from tests.unit.operators.conftest import NewTry

Lamps = Callable[..., ImageGenerationOperator]


def reached(hours: float) -> SpendLimitError:
    opens_at = datetime.now(timezone.utc) + timedelta(hours=hours)
    return SpendLimitError("reached", name="shop", used=1, opens_at=opens_at, retry_after=hours * 3600)


@pytest.fixture
def name(redis_url: str) -> Iterator[str]:
    """A name of a limit, whose traces in the Redis are removed."""
    name = f"shop-{uuid.uuid4().hex}"
    yield name
    forget(redis_url, name)


@pytest.fixture
def counted(new_try: NewTry, connect: Connect, sandbox: Sandbox, redis_url: str) -> NewTry:
    """Makes a try of a task whose connection has a quota store."""
    connect_to(connect, sandbox, quota_store=redis_url)
    return new_try


def connect_to(connect: Connect, sandbox: Sandbox, **extra: Any) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)


def lamp(number: int, **parameters: object) -> ImageGenerationOperator:
    return ImageGenerationOperator(task_id="lamp", prompt=f"Lamp {number}", **parameters)  # type: ignore[arg-type]


def test_what_several_runs_spend_together_keeps_below_the_limit(
    counted: NewTry, sandbox: Sandbox, name: str, tmp_path: Path
) -> None:
    limit = {"credits": 2, "name": name}
    for number, run_id in enumerate(("monday", "tuesday", "wednesday")):
        task = partial(lamp, number, output=f"file://{tmp_path}/", spend_limit=limit)
        if number < 2:
            counted(run_id=run_id)(task())
            continue
        said = rf"2 used in .* \(2 by .*\.lamp\); the spend limit '{name}' allows 2"
        with pytest.raises((SpendLimitError, AirflowFailException), match=said):
            counted(run_id=run_id)(task())
    counted(run_id="thursday")(lamp(0, output=f"file://{tmp_path}/", spend_limit=limit))
    assert sandbox.charged() == 2


@pytest.mark.parametrize("form", [dict, str, json.dumps])
def test_the_connections_limit_holds_for_all_who_use_it(
    form: Callable[[Any], Any], new_try: NewTry, connect: Connect, sandbox: Sandbox, redis_url: str, name: str
) -> None:
    limit = form({"credits": 1, "per": "month", "name": name})
    connect_to(connect, sandbox, quota_store=redis_url, spend_limit=limit)
    new_try()(lamp(1))
    with pytest.raises((SpendLimitError, AirflowFailException), match=f"{name}' allows 1 per month"):
        new_try(dag_id="another")(lamp(2, spend_limit="1000 per day"))
    assert sandbox.charged() == 1


def test_without_a_quota_store_a_limit_is_refused_with_the_remedy(new_try: NewTry, sandbox: Sandbox) -> None:
    remedy = r"'shop' cannot be kept without a Redis.*quota_store in the extra of the connection 'claid_default'"
    with pytest.raises(AirflowFailException, match=remedy):
        new_try()(lamp(1, spend_limit={"credits": 1, "name": "shop"}))
    assert sandbox.charged() == 0


def test_a_malformed_limit_fails_the_parsing_of_the_dag_or_says_that_it_stands_in_the_connection(
    new_try: NewTry, connect: Connect, sandbox: Sandbox
) -> None:
    with pytest.raises(AirflowFailException, match="spend_limit='much'"):
        lamp(1, spend_limit="much")
    lamp(1, spend_limit="{{ var.value.limit }}")
    connect_to(connect, sandbox, spend_limit="much")
    with pytest.raises(AirflowFailException, match="spend_limit in the extra of the connection 'claid_default'='much'"):
        new_try()(lamp(1))


def test_while_the_redis_is_down_tasks_fail_and_may_be_retried(
    new_try: NewTry, connect: Connect, sandbox: Sandbox
) -> None:
    connect_to(connect, sandbox, quota_store=f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(SpendStoreError, match="nothing was charged"):
        new_try()(lamp(1, spend_limit="10 per day"))
    assert sandbox.ledger("generate_image") == []


def test_what_claid_lists_cannot_be_limited(counted: NewTry, sandbox: Sandbox, name: str) -> None:
    task = ImageFolderEditOperator(
        task_id="small",
        input="storage://unmapped/in/",
        output="storage://unmapped/out/",
        operations={"resizing": {"width": 64}},
        spend_limit={"credits": 1, "name": name},
    )
    sandbox.connect_storage("unmapped", bucket="b", where=Path("/nowhere"))
    with pytest.raises(AirflowFailException, match="The spend limit cannot be kept"):
        counted()(task)
    assert sandbox.charged() == 0


def test_a_batch_stops_at_the_limit_and_says_what_is_left_and_when_to_go_on(
    counted: NewTry, sandbox: Sandbox, name: str, tmp_path: Path
) -> None:
    prompts = [f"Lamp {number}" for number in range(30)]
    batch = partial(
        ImageGenerationBatchOperator, task_id="pictures", prompts=prompts, output=f"file://{tmp_path}/", concurrency=8
    )
    run = counted()
    told = (
        rf"'{name}' allows 12 per day.*opens again at .*12 of 30 items have ended.*18 are left; 12 credits were spent"
    )
    with pytest.raises(AirflowException, match=told) as stopped:
        run(batch(spend_limit={"credits": 12, "name": name}))
    assert isinstance(stopped.value.__cause__, SpendLimitError)
    assert run.credits == sandbox.charged() == 12
    summary = counted(try_number=2)(batch(spend_limit={"credits": 30, "name": name}))
    assert (summary["done"], summary["reused"], summary["credits"], sandbox.charged()) == (30, 12, 18, 30)


def test_when_the_redis_dies_in_the_middle_of_a_batch_nothing_is_charged_past_it(
    new_try: NewTry, connect: Connect, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_claid.client.spending.spending._PAUSE", 0.0)
    prompts = [f"Lamp {number}" for number in range(400)]
    port = free_port()
    with redis_process(port) as server:
        connect_to(connect, sandbox, quota_store=f"redis://127.0.0.1:{port}/0")
        batch = ImageGenerationBatchOperator(
            task_id="pictures",
            prompts=prompts,
            output=f"file://{tmp_path}/",
            concurrency=4,
            spend_limit="100 per day",
            report_seconds=0.0,
        )
        charged_when_it_died = list[float]()

        def kill(_: object, **progress: object) -> None:
            if not charged_when_it_died and sandbox.charged() >= 20:
                server.kill()
                server.wait()
                charged_when_it_died.append(sandbox.charged())

        monkeypatch.setattr("airflow_claid.operators.bases.metrics.TaskMetrics.progress", kill)
        with pytest.raises(AirflowException, match="cannot be reached") as failed:
            new_try()(batch)
    assert not isinstance(failed.value, AirflowFailException)
    (before,) = charged_when_it_died
    assert before <= sandbox.charged() <= before + 4, "only what was under way may have been charged"


def test_before_a_limit_opens_a_retry_is_useless_so_there_is_none_or_it_waits() -> None:
    expected = SpendLimitError if HAS_RETRY_POLICY else AirflowFailException
    with pytest.raises(expected), failing_at_once("prompt='A lamp'"):
        raise reached(hours=12)
    with pytest.raises(AirflowFailException), failing_at_once("prompt='A lamp'"):
        raise reached(hours=30 * 24)


def test_the_retry_is_scheduled_for_when_the_limit_opens_where_airflow_can_do_that() -> None:
    policy = getattr(lamp(1), "retry_policy", None)
    assert (policy is not None) is HAS_RETRY_POLICY
    if policy is None:
        return
    wrapped = AirflowException("18 of 30 items are left")
    wrapped.__cause__ = reached(hours=2)
    for error in (reached(hours=2), wrapped):
        decision = policy.evaluate(error, 1, 2)
        assert decision.retry_delay is not None
        assert timedelta(hours=2) < decision.retry_delay < timedelta(hours=2, minutes=1)


def test_four_workers_that_ask_for_400_credits_are_charged_exactly_100_three_times_in_a_row(
    sandbox: Sandbox, redis_url: str, connect: Connect, name: str, tmp_path: Path
) -> None:
    connect_to(connect, sandbox, quota_store=redis_url)
    buyers = [Buyer(f"buyer-{number}", tmp_path, dict(os.environ)) for number in range(4)]
    try:
        for buyer in buyers:
            buyer.wait_until_ready()
        for time in (1, 2, 3):
            for buyer in buyers:
                buyer.buy(f"{name}-{time}")
            assert sum(buyer.spent() for buyer in buyers) == 100
            assert sandbox.charged() == 100 * time
    finally:
        for buyer in buyers:
            buyer.kill()
