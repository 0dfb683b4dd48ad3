"""Generate pictures from prompts: one task for each prompt, two pictures each; a blocked prompt is skipped.

Parameters: ``output`` is any folder that Airflow can write to (``file:///…/``, ``s3://my_aws@bucket/…/``) or a folder
of a connected storage (``storage://NAME/…/``). A second run costs nothing.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import ImageGenerationOperator

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "output": Param("file:///tmp/image_generation/", type="string", pattern="/$", title="Folder of the pictures")
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def image_generation() -> None:
    ImageGenerationOperator.partial(
        task_id="generate", number_of_images=2, guidance_scale=7, output=OUTPUT, on_blocked="skip"
    ).expand_kwargs(
        [
            {"prompt": "A linen sofa in morning light", "name": "SOFA"},
            {"prompt": "A brass desk lamp on an oak table", "name": "LAMP"},
        ]
    )


image_generation()
