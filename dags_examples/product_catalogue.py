"""Turn a product list into pictures in a bucket: generate, upscale, resize, hand over.

Every product that has a usable prompt and a SKU of its own gets a 1024x1024 picture, a 2048x2048 one for zooming and
an 800x800 JPEG for the list page. Invalid rows, blocked prompts and products that failed are reported, and do not stop
the others: the catalogue is published first, then the run fails if a product failed.

Parameters: ``products`` is a CSV with the columns sku, name, kind and details; ``output`` is any folder that Airflow
can write to: ``file:///…/``, ``s3://my_aws@bucket/…/``, ``gs://my_google@bucket/…/``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import ObjectStoragePath, Param, dag, task, task_group

from airflow_claid.batch import read_rows
from airflow_claid.client import ClaidValidationError, GenerateRequest
from airflow_claid.operators import ImageGenerationOperator, ImageResizeOperator, ImageUpscaleOperator

PRODUCTS = Path(__file__).parent / "data" / "products.csv"
OUTPUT = "{{ params.output }}"
COLUMNS = ("sku", "name", "kind", "details")
SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
"""A SKU names the files of its product: no folders in it, and nothing that a file system may not take."""


@dag(
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "products": Param(f"file://{PRODUCTS}", type="string", title="Product list"),
        "output": Param("file:///tmp/product_catalogue/", type="string", pattern="/$", title="Folder of the pictures"),
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    max_active_tasks=8,
    tags=["claid", "example"],
    doc_md=__doc__,
)
def product_catalogue() -> None:
    @task
    def build_prompts(params: dict[str, Any]) -> list[dict[str, Any]]:
        """Return each product with its prompt, or with the reason why it has none."""
        rows, first_by_sku = [], dict[str, int]()
        for row in read_rows(params["products"]):
            sku, name, kind, details = (str(row.values.get(part) or "").strip() for part in COLUMNS)
            prompt = ", ".join(part for part in (name, kind, details) if part)
            reason = f"row {row.number} {row.problem}" if row.problem else _problem(sku, prompt)
            if not reason and first_by_sku.setdefault(sku.casefold(), row.number) != row.number:
                reason = f"row {row.number} has the SKU of row {first_by_sku[sku.casefold()]}"
            rows.append({"sku": sku, "product": name, "prompt": prompt, "reason": reason})
        return rows

    @task
    def good_rows(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
        return [{"prompt": row["prompt"], "name": row["sku"]} for row in rows if row["reason"] is None]

    @task_group
    def pictures(prompt: str, name: str) -> None:
        generate = ImageGenerationOperator(
            task_id="generate", prompt=prompt, name=name, output=OUTPUT + "generated/", on_blocked="skip"
        )
        upscale = ImageUpscaleOperator(
            task_id="upscale", input=generate.output, scale=2048, output=OUTPUT + "upscaled/", output_format="png"
        )
        ImageResizeOperator(
            task_id="resize",
            input=upscale.output,
            width=800,
            height=800,
            output=OUTPUT + "resized/",
            output_format={"type": "jpeg", "quality": 90},
        )

    @task(trigger_rule="all_done")
    def collect(rows: list[dict[str, Any]], ti: Any = None) -> list[dict[str, Any]]:
        """Match each product with its pictures, by the names and inputs of the images."""
        generated, upscaled, resized = (_images(ti, f"pictures.{step}") for step in ("generate", "upscale", "resize"))
        catalogue = []
        for row in rows:
            first = [image for image in generated if image["name"] == row["sku"] and not row["reason"]]
            second = _made_from(upscaled, first)
            third = _made_from(resized, second)
            if row["reason"]:
                status = "invalid"
            elif first and all(image["blocked"] for image in first):
                status = "blocked"
            else:
                status = "done" if third else "failed"
            entry = {**row, "status": status, "credits": sum(i["credits"] for i in (*first, *second, *third))}
            entry |= {"generated": _paths(first), "upscaled": _paths(second), "resized": _paths(third)}
            catalogue.append(entry)
        return catalogue

    @task
    def publish(catalogue: list[dict[str, Any]], params: dict[str, Any]) -> str:
        """Write the list of products and paths beside the pictures, where the shop reads it."""
        target = ObjectStoragePath(params["output"] + "catalogue.json")
        with target.open("wb") as file:
            file.write(json.dumps(catalogue, indent=1, ensure_ascii=False).encode())
        return str(target)

    @task(retries=0)
    def report(catalogue: list[dict[str, Any]]) -> None:
        """Fail if a product failed: clear its tasks, and those from ``collect`` on, to go on from what is paid."""
        failed = [row["sku"] for row in catalogue if row["status"] == "failed"]
        if failed:
            raise RuntimeError(f"{len(failed)} products failed: {', '.join(failed[:20])}")

    rows = build_prompts()
    collected = collect(rows)
    pictures.expand_kwargs(good_rows(rows)) >> collected
    publish(collected) >> report(collected)


def _problem(sku: str, prompt: str) -> str | None:
    """Say why a product gets no picture."""
    if not SKU.fullmatch(sku):
        return f"sku={sku!r} cannot name a file: use letters, digits, blanks and . _ -"
    try:
        GenerateRequest.of(prompt)
    except ClaidValidationError as error:
        return str(error)
    return None


def _images(ti: Any, task_id: str) -> list[dict[str, Any]]:
    """Return all images of a mapped task; skipped products have none."""
    return [image for images in ti.xcom_pull(task_ids=[task_id], key="images") or () for image in images or ()]


def _made_from(images: list[dict[str, Any]], inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    paths = {image.get("path") for image in inputs}
    return [image for image in images if image["input"] in paths]


def _paths(images: list[dict[str, Any]]) -> list[str]:
    return [image["path"] for image in images if image.get("path") and not image.get("blocked")]


product_catalogue()
