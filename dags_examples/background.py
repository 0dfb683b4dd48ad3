"""Cut out a product, and put it into a scene from a prompt, and on a colour with a shadow.

Parameters: ``output`` is a folder of a connected storage, from which Claid also reads the product.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import BackgroundGenerationOperator, ImageEditOperator, ImageGenerationOperator

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "output": Param(
            "storage://shop/background/", type="string", pattern="/$", title="Folder in a connected storage"
        )
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def background() -> None:
    generate = ImageGenerationOperator(task_id="generate", prompt="A brass desk lamp", output=OUTPUT + "generated/")
    cut_out = ImageEditOperator(
        task_id="cut_out",
        input=generate.output,
        operations={"background": {"remove": True, "color": "transparent"}},
        output=OUTPUT + "cut_out/LAMP.png",
    )
    BackgroundGenerationOperator(
        task_id="scene",
        input=cut_out.output,
        prompt="On an oak desk by a window, evening light",
        position=(0.5, 0.6),
        scale=0.5,
        aspect_ratio="4:3",
        output=OUTPUT + "scenes/",
    )
    BackgroundGenerationOperator(
        task_id="shadow",
        input=cut_out.output,
        effect="shadows",
        color="#f4f1ea",
        padding="10%",
        output=OUTPUT + "shadows/",
        output_format={"type": "jpeg", "quality": 90},
    )


background()
