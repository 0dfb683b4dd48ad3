"""Turn a product list of any length into pictures in two sizes: three tasks, whatever the number of products.

Each step is a batch, and takes the manifest of the one before: generate a picture of each product, enlarge it, bring it
to the size of the list page. A product whose prompt is blocked, or that fails in one step, is skipped by the next
and stops no other. At the end, one file says for each product which pictures it has.

Run it again: what is paid for and still in place is not paid for again.

Parameters: ``products`` is a file with the columns sku and prompt (CSV, TSV, JSON Lines, Parquet, also a glob of such);
``output`` is any folder that Airflow can write to: ``file:///…/``, ``s3://my_aws@bucket/…/``, ``gs://my_google@bucket/…/``.
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

PRODUCTS = Path(__file__).parent / "data" / "catalogue" / "2026-03-01.csv"
OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "products": Param(f"file://{PRODUCTS}", type="string", title="Product list"),
        "output": Param("file:///tmp/catalogue_chain/", type="string", pattern="/$", title="Folder of the pictures"),
    },
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def catalogue_chain() -> None:
    generated = ImageGenerationBatchOperator(
        task_id="generate",
        prompts="{{ params.products }}",
        columns={"name": "sku"},
        output=OUTPUT + "generated/",
        error_threshold=0.34,
    )
    enlarged = ImageUpscaleBatchOperator(
        task_id="upscale",
        input=generated.output["manifest"],
        scale="200%",
        output=OUTPUT + "enlarged/",
        output_format="png",
    )
    resized = ImageResizeBatchOperator(
        task_id="resize",
        input=enlarged.output["manifest"],
        width=800,
        height=800,
        output=OUTPUT + "list/",
        output_format={"type": "jpeg", "quality": 90},
    )

    @task
    def publish(manifests: list[str], params: dict[str, Any]) -> str:
        """Write which pictures each product has, where the shop reads it."""
        target = ObjectStoragePath(params["output"] + "catalogue.jsonl")
        with target.open("wb") as file:
            for product in join_manifests(*manifests):
                paths = {step.manifest: step.paths for step in product.steps}
                picture, large, small = (paths.get(manifest, ()) for manifest in manifests)
                entry = {"sku": product.name, "status": product.status, "credits": product.credits}
                entry |= {"picture": picture, "large": large, "list": small}
                file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        return str(target)

    publish([step.output["manifest"] for step in (generated, enlarged, resized)])


catalogue_chain()
