"""A catalogue in partitions, one a day: the pictures of a day are made when that day of the catalogue is there.

Needs Airflow 3.2 or later, which has partitioned assets; an older one finds no DAG in this file.

``daily_catalogue`` stands for whatever writes the list of a day: each of its runs makes one partition of the asset
``claid-catalogue``, whose key is the day. ``daily_partitions`` runs once for each partition, with the same key, also
where a past day is written again; that costs only what is new.

Parameters: ``catalogue`` and ``output`` are any folders that Airflow can reach. Started by hand, without a partition,
``daily_partitions`` takes the day in ``day``.
"""

from __future__ import annotations

from pathlib import Path

import pendulum
from airflow.sdk import Asset, ObjectStoragePath, Param, dag, task

from airflow_claid.operators import ImageGenerationBatchOperator

try:
    from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable
except ImportError:  # Airflow 3.1
    HAS_PARTITIONS = False
else:
    HAS_PARTITIONS = True

FOLDER = Path(__file__).parent / "data" / "catalogue"
CATALOGUE = Asset("claid-catalogue")
DAY = "{{ partition_key or params.day }}"
PARAMS = {
    "catalogue": Param(f"file://{FOLDER}/", type="string", pattern="/$", title="Folder of the days' files"),
    "output": Param("file:///tmp/daily_partitions/", type="string", pattern="/$", title="Folder of the pictures"),
    "day": Param("2026-03-01", type="string", format="date", title="Day of a run that has no partition"),
}


if HAS_PARTITIONS:

    @dag(
        schedule=CronPartitionTimetable("0 1 * * *", timezone="UTC", key_format="%Y-%m-%d"),
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        params=PARAMS,
        tags=["claid", "example"],
        doc_md=__doc__,
    )
    def daily_catalogue() -> None:
        @task.short_circuit
        def is_there(address: str) -> bool:
            """Skip a day without a list."""
            return ObjectStoragePath(address).exists()

        @task(outlets=[CATALOGUE])
        def publish() -> None:
            """Tell Airflow that the day's partition is there."""

        is_there("{{ params.catalogue }}" + DAY + ".csv") >> publish()

    @dag(
        schedule=PartitionedAssetTimetable(assets=CATALOGUE),
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        params=PARAMS,
        default_args={"retries": 3, "retry_delay": pendulum.duration(minutes=1)},
        tags=["claid", "example"],
        doc_md=__doc__,
    )
    def daily_partitions() -> None:
        ImageGenerationBatchOperator(
            task_id="pictures",
            prompts="{{ params.catalogue }}" + DAY + ".csv",
            columns={"name": "sku"},
            output="{{ params.output }}" + DAY + "/",
            error_threshold=0.34,
        )

    daily_catalogue()
    daily_partitions()
