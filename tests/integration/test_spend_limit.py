"""A spend limit in a whole Airflow with four Celery workers: what is charged is exactly what it allows."""

from __future__ import annotations

from pathlib import Path

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.celery_airflow import celery_airflow
from tests.support.airflow import Airflow
from tests.support.processes import free_port
from tests.support.redis import redis_process

LIMIT = 100
SHARES = 4
DAG_FILE = f"""
from airflow.sdk import DAG
from airflow_claid.operators import ImageGenerationBatchOperator

with DAG("catalogue", params={{"output": "", "limit": ""}}):
    ImageGenerationBatchOperator.partial(
        task_id="generate",
        prompts=[f"A shared lamp, number {{number}}" for number in range({SHARES * LIMIT})],
        output="{{{{ params.output }}}}",
        spend_limit={{"credits": {LIMIT}, "per": "month", "name": "{{{{ params.limit }}}}"}},
        retries=0,
    ).expand(shard=[(share, {SHARES}) for share in range({SHARES})])
"""


def test_four_workers_that_ask_for_400_credits_spend_the_100_of_the_limit(
    tmp_path: Path, postgresql: str, redis_url: str
) -> None:
    home, dags = tmp_path / "home", tmp_path / "dags"
    home.mkdir()
    dags.mkdir()
    (dags / "catalogue.py").write_text(DAG_FILE, encoding="utf-8")
    settings = SandboxSettings(quota="100000/1", creative_quota="100000/1", image_size=16)
    port = free_port()
    with Sandbox(settings) as sandbox, redis_process(port) as limits:
        claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
        connections = {"claid_default": {**claid, "extra": {"quota_store": f"redis://127.0.0.1:{port}/0"}}}
        airflow = Airflow(home, dags, connections)
        with celery_airflow(airflow, SHARES, postgresql=postgresql, broker=redis_url, seconds=500) as cluster:
            for number in (1, 2, 3):
                conf = {
                    "output": f"file://{tmp_path}/pictures-{number}/",
                    "limit": f"shop {number}",
                }
                run = cluster.api.trigger("catalogue", conf)
                assert cluster.api.ended("catalogue", run, 300) == "failed"
                assert sandbox.charged() == number * LIMIT
            assert all(taken == 3 for taken in cluster.tasks_taken())
            limits.kill()
            limits.wait()
            conf |= {"output": f"file://{tmp_path}/pictures-4/", "limit": "shop 4"}
            run = cluster.api.trigger("catalogue", conf)
            assert cluster.api.ended("catalogue", run, 300) == "failed"
            assert sandbox.charged() == 3 * LIMIT
            assert "SpendStoreError" in cluster.api.logs()
