"""Runs whose pictures the browser tests look at, and the screenshots show."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, task

from airflow_claid.operators import (
    ImageEditBatchOperator,
    ImageGenerationBatchOperator,
    ImageGenerationOperator,
    ImageResizeOperator,
    ImageUpscaleOperator,
)

FOLDER = os.environ["GALLERY_FOLDER"]
SCRIPT = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title='hacked'\">"
KINDS = ("armchair", "floor lamp", "stoneware vase", "linen sofa", "oak table", "wool rug", "desk", "wall mirror")
COLOURS = ("red", "sand", "moss green", "navy", "terracotta", "ivory", "charcoal", "ochre")
ROOMS = ("by a window", "on a pale wall", "in a loft", "in morning light", "seen from above")
PRODUCTS = [
    {"name": f"SKU-{number:04}", "prompt": f"A {COLOURS[number % 8]} {KINDS[number // 8 % 8]} {ROOMS[number % 5]}"}
    for number in range(1, 201)
]
PRODUCTS[3]["prompt"] = "A poster, nude study in charcoal"
PRODUCTS[5]["prompt"] = "x"

RETRIES = {"retries": 3, "retry_delay": timedelta(seconds=1)}
"""What a busy machine needs."""


@task
def history(shares, ti=None):
    """Report what earlier days of the same DAG would have paid."""
    today = datetime.now(timezone.utc).date()
    days = []
    for ago in range(1, 14):
        day = today - timedelta(days=ago)
        amount = (34, 61, 48, 75, 52, 0, 18)[ago % 7] + 3 * (ago % 4)
        for operation, share in shares.items():
            made = round(amount * share)
            blocked = made // 25
            days.append(
                {
                    "day": day.isoformat(),
                    "operation": operation,
                    "credits": made,
                    "reused": (ago * 7) % 23 if made else 0,
                    "in_doubt": 2 if ago == 4 else 0,
                    "pictures": made - blocked,
                    "blocked": blocked,
                    "rate_limited": ago % 3 if made else 0,
                }
            )
    ti.xcom_push(key="bill", value={"version": 1, "days": days, "connection": "claid_default"})


with DAG("catalogue", default_args=RETRIES):
    history({"generate_image": 1.6, "submit_edit": 0.4})
    pictures = ImageGenerationBatchOperator(
        task_id="pictures", prompts=PRODUCTS, output=f"file://{FOLDER}/catalogue/", error_threshold=1
    )

    ImageEditBatchOperator(
        task_id="for_the_list",
        input=pictures.output["manifest"],
        operations={"resizing": {"width": 96, "height": 96}},
        output=f"file://{FOLDER}/catalogue/list/",
        error_threshold=1,
    )

with DAG("products", default_args=RETRIES):
    history({"generate_image": 0.5, "submit_ai_edit": 0.7})
    generate = ImageGenerationOperator(
        task_id="generate",
        prompt="A linen sofa in morning light, with a wool throw",
        name="SOFA",
        output=f"file://{FOLDER}/sofa/",
    )
    large = ImageUpscaleOperator(task_id="upscale", input=generate.output, output=f"file://{FOLDER}/sofa/large/")
    ImageResizeOperator(
        task_id="resize", input=large.output, width=160, height=160, output=f"file://{FOLDER}/sofa/list/"
    )
    ImageGenerationOperator.partial(
        task_id="mapped", output=f"file://{FOLDER}/mapped/", on_blocked="skip", map_index_template="{{ task.name }}"
    ).expand_kwargs(
        [
            {"prompt": "A red leather armchair by a window", "name": "CHAIR"},
            {"prompt": "A poster, nude study in charcoal", "name": "POSTER"},
            {"prompt": SCRIPT, "name": "SCRIPT"},
            {"prompt": "A hammered copper pendant lamp", "name": "LAMP"},
        ]
    )
    ImageGenerationOperator(task_id="temporary", prompt="A bunch of dried flowers")

    @task
    def others(ti=None):
        """Report pictures of other kinds: expired, removed, where Airflow may not look, and what is no picture."""
        past = datetime.now(timezone.utc) - timedelta(days=2)
        one = {"prompt": "A brass door handle", "credits": 1.0, "blocked": False, "fingerprint": None}
        ti.xcom_push(
            key="images",
            value=[
                {**one, "name": "EXPIRED", "path": "https://a.claid.ai/x.png", "expires_at": past.isoformat()},
                {**one, "name": "REMOVED", "path": f"file://{FOLDER}/sofa/removed.png"},
                {**one, "name": "ELSEWHERE", "path": "s3://nobody@closed-bucket/handle.png"},
                {**one, "name": "SECRET", "path": "file:///etc/passwd"},
                {**one, "name": "FAILED", "path": None, "error": "Claid could not make it (500)", "credits": 0.0},
            ],
        )

    others()
