"""Turn a catalogue that grows by a file each day into pictures, with one task for all the prompts of a day.

The day's file is ``catalogue`` + the logical date + ``.csv``, with the columns sku and prompt; days without a
file are skipped. For past days::

    airflow backfill create --dag-id backfill_catalogue --from-date 2026-03-01 --to-date 2026-03-03 --max-active-runs 1

A day that is run again, by a clear or another backfill, pays for nothing that exists. Nor is a product paid for again
that returns on another day with the same prompt, because all days share one folder. An invalid row is reported in the
manifest and stops no other: what there is is published, and then the run fails if more than a third of the day's rows
have no picture.

Parameters: ``catalogue`` and ``output`` are any folders that Airflow can reach: ``file:///…/``, ``s3://my_aws@bucket/…/``;
``max_credits`` is a ceiling for each day.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import ObjectStoragePath, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_claid.operators import ImageGenerationBatchOperator

CATALOGUE = Path(__file__).parent / "data" / "catalogue"
PROMPTS = "{{ params.catalogue }}{{ ds }}.csv"
MOST_WITHOUT_PICTURE = 0.34


@dag(
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "catalogue": Param(f"file://{CATALOGUE}/", type="string", pattern="/$", title="Folder of the days' files"),
        "output": Param("file:///tmp/backfill_catalogue/", type="string", pattern="/$", title="Folder of the pictures"),
        "max_credits": Param(1000, type="integer", title="Most credits for a day"),
    },
    default_args={"retries": 3, "retry_delay": pendulum.duration(minutes=1)},
    max_active_runs=1,
    tags=["claid", "example"],
    doc_md=__doc__,
)
def backfill_catalogue() -> None:
    @task.short_circuit
    def has_prompts(address: str) -> bool:
        return ObjectStoragePath(address).exists()

    pictures = ImageGenerationBatchOperator(
        task_id="pictures",
        prompts=PROMPTS,
        columns={"name": "sku"},
        output="{{ params.output }}",
        error_threshold=MOST_WITHOUT_PICTURE,
        max_credits="{{ params.max_credits }}",
    )

    @task(trigger_rule="all_done")
    def publish(manifest: str, params: dict[str, Any], ds: str) -> str:
        """List the day's products with their pictures, for the shop."""
        with ObjectStoragePath(manifest).open("r", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        shown = [{"sku": row["name"], "pictures": row["paths"]} for row in rows if row["status"] == "done"]
        target = ObjectStoragePath(f"{params['output']}{ds}.json")
        target.write_text(json.dumps(shown, indent=1), encoding="utf-8")
        bad = [row for row in rows if row["status"] in ("invalid", "failed")]
        if len(bad) > MOST_WITHOUT_PICTURE * len(rows):
            raise AirflowFailException(f"{len(bad)} of {len(rows)} rows have no picture, see {manifest}")
        return str(target)

    has_prompts(PROMPTS) >> pictures
    publish(pictures.output["manifest"])


backfill_catalogue()
