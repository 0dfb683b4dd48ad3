"""Turn a picture into a video of 5 seconds. Costs 35 credits, and waits in the triggerer.

Parameters: ``output`` is a folder of a connected storage, from which Claid also reads the picture.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import ImageGenerationOperator, ImageToVideoOperator

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "output": Param(
            "storage://shop/image_to_video/", type="string", pattern="/$", title="Folder in a connected storage"
        )
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def image_to_video() -> None:
    generate = ImageGenerationOperator(
        task_id="generate", prompt="A sailing boat on a calm sea", output=OUTPUT + "generated/"
    )
    ImageToVideoOperator(
        task_id="video",
        input=generate.output,
        prompt="The boat glides by, the camera follows slowly",
        duration=5,
        max_credits=35,
        output=OUTPUT + "boat.mp4",
        deferrable=True,
    )


image_to_video()
