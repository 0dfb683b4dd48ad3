"""Let a person look at generated pictures before more is paid for them.

Generate a picture of each product, and wait until somebody has looked at them under *Required Actions*. The rejected
ones are generated anew, from their prompt and what the reviewer wrote, and reviewed again. What was approved, in the
first round or the second, is enlarged. Nothing is paid for twice: a clear or a second run reuses all pictures.

Parameters: ``output`` is any folder that Airflow can write to.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

from airflow_claid.operators import ImageGenerationOperator, ImageReviewOperator, ImageUpscaleOperator

PRODUCTS = [
    {"name": "SOFA", "prompt": "A linen sofa in morning light"},
    {"name": "LAMP", "prompt": "A brass floor lamp on a pale wall"},
    {"name": "VASE", "prompt": "A stoneware vase on an oak table"},
]
OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={"output": Param("file:///tmp/review/", type="string", pattern="/$", title="Folder of the pictures")},
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def review() -> None:
    generated = ImageGenerationOperator.partial(
        task_id="generate", output=OUTPUT + "generated/", map_index_template="{{ task.name }}"
    ).expand_kwargs(PRODUCTS)
    looked_at = ImageReviewOperator(
        task_id="review",
        input=generated.output["images"],
        select="rejected",
        subject="Which of these pictures shall be made anew?",
        instructions="Write in the comment what they lack: it is added to their prompts.",
        response_timeout=pendulum.duration(days=3),
    )

    @task
    def adjust(rejected: list[dict[str, Any]]) -> list[dict[str, str]]:
        """Return the products to generate anew, with what the reviewer said."""
        wish = "another composition"
        return [
            {"name": f"{picture['name']}-2", "prompt": f"{picture['prompt']}, {picture['comment'] or wish}"}
            for picture in rejected
        ]

    anew = ImageGenerationOperator.partial(
        task_id="generate_anew", output=OUTPUT + "generated/", map_index_template="{{ task.name }}"
    ).expand_kwargs(adjust(looked_at.output["rejected"]))
    looked_at_again = ImageReviewOperator(
        task_id="review_anew",
        input=anew.output["images"],
        select="rejected",
        subject="Which of the new pictures shall not be used?",
        response_timeout=pendulum.duration(days=3),
        trigger_rule="none_failed",  # where nothing was rejected, there is nothing to ask about
    )
    ImageUpscaleOperator(
        task_id="upscale",
        input=[looked_at.output, looked_at_again.output],
        scale="200%",
        output=OUTPUT + "enlarged/",
    )


review()
