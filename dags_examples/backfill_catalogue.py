"""Turn a catalogue that grows by a file each day into pictures in three sizes, with one task for each step of a day.

The day's file is ``catalogue`` + the logical date + ``.csv``, with the columns sku and prompt; days without a
file are skipped. For past days::

    airflow backfill create --dag-id backfill_catalogue --from-date 2026-03-01 --to-date 2026-03-03 --max-active-runs 1

A day that is run again, by a clear or another backfill, pays for nothing that exists. Nor is a product paid for again
that returns on another day with the same prompt, because all days share one folder. An invalid row is reported in the
manifest and stops no other, and the next steps skip it: what there is is published, and then the run fails if more
than a third of the day's products have no picture.

Parameters: ``catalogue`` and ``output`` are any folders that Airflow can reach: ``file:///…/``, ``s3://my_aws@bucket/…/``;
``max_credits`` is a ceiling for each step of a day.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import ObjectStoragePath, Param, dag, task

from airflow_claid.manifests import join_manifests
from airflow_claid.operators import (
    ImageGenerationBatchOperator,
    ImageResizeBatchOperator,
    ImageUpscaleBatchOperator,
)

CATALOGUE = Path(__file__).parent / "data" / "catalogue"
PROMPTS = "{{ params.catalogue }}{{ ds }}.csv"
OUTPUT = "{{ params.output }}"
MOST_WITHOUT_PICTURE = 0.34


@dag(
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "catalogue": Param(f"file://{CATALOGUE}/", type="string", pattern="/$", title="Folder of the days' files"),
        "output": Param("file:///tmp/backfill_catalogue/", type="string", pattern="/$", title="Folder of the pictures"),
        "max_credits": Param(1000, type="integer", title="Most credits for a step of a day"),
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
        output=OUTPUT,
        error_threshold=MOST_WITHOUT_PICTURE,
        max_credits="{{ params.max_credits }}",
    )
    large = ImageUpscaleBatchOperator(
        task_id="large",
        input=pictures.output["manifest"],
        output=OUTPUT + "large/",
        output_format="png",
        max_credits="{{ params.max_credits }}",
        trigger_rule="all_done",
    )
    small = ImageResizeBatchOperator(
        task_id="small",
        input=large.output["manifest"],
        width=400,
        output=OUTPUT + "small/",
        max_credits="{{ params.max_credits }}",
        trigger_rule="all_done",
    )

    @task(trigger_rule="all_done", retries=0)
    def publish(manifests: list[str], params: dict[str, Any], ds: str) -> str:
        """List the day's products with their pictures, for the shop."""
        shown, without_picture, products = [], 0, 0
        for product in join_manifests(*manifests):
            products += 1
            if product.status == "done":
                paths = dict(zip(("pictures", "large", "small"), (step.paths for step in product.steps), strict=True))
                shown.append({"sku": product.name, **paths})
            elif product.status != "duplicate":
                without_picture += 1
        target = ObjectStoragePath(f"{params['output']}{ds}.json")
        target.write_text(json.dumps(shown, indent=1), encoding="utf-8")
        if without_picture > MOST_WITHOUT_PICTURE * products:
            raise RuntimeError(f"{without_picture} of {products} products have no picture, see {manifests}")
        return str(target)

    has_prompts(PROMPTS) >> pictures
    publish([step.output["manifest"] for step in (pictures, large, small)])


backfill_catalogue()
