"""One account, two workers: each prompt is charged once, and the quota is kept by both together."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import redis

from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.settings import Latency
from tests.integration.celery_airflow import celery_airflow
from tests.support.airflow import Airflow

PROMPTS = 50
SHARES = 2
DAG_FILE = f"""
from airflow.sdk import DAG
from airflow_claid.operators import ImageGenerationBatchOperator

with DAG("catalogue", params={{"output": ""}}):
    ImageGenerationBatchOperator.partial(
        task_id="generate",
        prompts=[f"A shared lamp, number {{number}}" for number in range({PROMPTS})],
        output="{{{{ params.output }}}}",
    ).expand(shard=[(share, {SHARES}) for share in range({SHARES})])
"""


def test_two_workers_share_the_quota_and_pay_each_prompt_once(tmp_path: Path, postgresql: str, redis_url: str) -> None:
    home, dags = tmp_path / "home", tmp_path / "dags"
    home.mkdir()
    dags.mkdir()
    (dags / "catalogue.py").write_text(DAG_FILE, encoding="utf-8")
    with Sandbox(SandboxSettings(quota="30/6,15/1", latency=Latency(0.5), image_size=64)) as sandbox:
        claid = {
            "conn_type": "claid",
            "password": sandbox.api_key,
            "host": sandbox.url,
            "extra": {"quota_store": redis_url},
        }
        try:
            airflow = Airflow(home, dags, {"claid_default": claid})
            with celery_airflow(airflow, SHARES, postgresql=postgresql, broker=redis_url) as cluster:
                run = cluster.api.trigger("catalogue", {"output": f"file://{tmp_path}/pictures/"})
                assert cluster.api.ended("catalogue", run) == "success", cluster.api.logs()[-3000:]
                assert cluster.tasks_taken() == [1, 1]
        finally:
            windows = _windows_removed(sandbox, redis_url)
        assert windows
        asked = sandbox.ledger("generate_image")
        assert Counter(entry.request["input"] for entry in asked if entry.status == 200) == {
            f"A shared lamp, number {number}": 1 for number in range(PROMPTS)
        }
        refused = [entry for entry in asked if entry.status == 429]
        assert len(refused) <= 0.05 * len(asked)
        assert sandbox.charged() == PROMPTS
    assert len(list((tmp_path / "pictures").glob("*.png"))) == PROMPTS


def _windows_removed(sandbox: Sandbox, redis_url: str) -> int:
    """Remove what the workers counted in the Redis, and return how many keys that were."""
    account = hashlib.sha256(f"{sandbox.url}/v1\n{sandbox.api_key}".encode()).hexdigest()[:32]
    server = redis.Redis.from_url(redis_url)
    found = list(server.scan_iter(f"airflow-claid/{account}/*", count=1000))
    return sum(server.delete(name) for name in found)
