"""A DAG run by Airflow itself sends its metrics to a StatsD on UDP, with tags."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from airflow_claid.sandbox import Sandbox
from tests.support.airflow import Airflow

DAG = """
from airflow.sdk import DAG
from airflow_claid.operators import ImageGenerationOperator

with DAG("counted"):
    ImageGenerationOperator(
        task_id="lamp", prompt="A brass lamp", number_of_images=2, output="file://{folder}/",
        spend_limit={{"credits": 10, "name": "shop"}},
    )
"""


def test_a_real_run_tells_statsd_what_it_paid_for(
    airflow: Airflow, own_sandbox: Sandbox, redis_url: str, tmp_path: Path
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "counted.py").write_text(DAG.format(folder=tmp_path / "pictures"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        claid = {**airflow.connections["claid_default"], "extra": {"quota_store": redis_url}}
        settings = {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(statsd.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }
        own = Airflow(airflow.home, dags, {"claid_default": claid}, settings)
        status, log = own.run_dag("counted")
        assert status == 0, log[-4000:]
        sent = received(statsd)
    task = {"dag_id": "counted", "task_id": "lamp", "connection": "claid_default"}
    generation = {**task, "operation": "generate_image"}
    limit = {"limit": "shop", "per": "day", "connection": "claid_default"}
    assert sent == {
        ("airflow.claid.credits", own_sandbox.charged(), tuple(generation.items())),
        ("airflow.claid.pictures", 2.0, tuple(generation.items())),
        ("airflow.claid.spend_limit.used", 2.0, tuple(limit.items())),
        ("airflow.claid.spend_limit.allowed", 10.0, tuple(limit.items())),
        ("airflow.claid.waiting_jobs", 0.0, tuple(task.items())),
        *(one for one in sent if one[0] == "airflow.claid.quota_used"),
    }
    assert own_sandbox.charged() == 2


def received(statsd: socket.socket) -> set[tuple[str, float, tuple[tuple[str, str], ...]]]:
    """Return our metrics among those that were sent: name, number and tags."""
    statsd.setblocking(False)
    metrics = set()
    while True:
        try:
            packet = statsd.recv(65536).decode()
        except BlockingIOError:
            return metrics
        for line in packet.splitlines():
            if found := re.fullmatch(r"(airflow\.claid\.[\w.]+),([^:]+):([\d.]+)\|[cg]", line):
                name, tags, number = found.groups()
                pairs = (tag.split("=", 1) for tag in tags.split(","))
                metrics.add((name, float(number), tuple((key, value) for key, value in pairs)))
