"""Show garments together on a person.

Parameters: ``output`` is a folder of a connected storage, from which Claid also reads the garments.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import FashionModelOperator, ImageGenerationOperator

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "output": Param(
            "storage://shop/fashion_models/", type="string", pattern="/$", title="Folder in a connected storage"
        )
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def fashion_models() -> None:
    garments = ImageGenerationOperator.partial(task_id="garments", output=OUTPUT + "garments/").expand(
        prompt=["A green raincoat on white", "White linen trousers on white"]
    )
    FashionModelOperator(
        task_id="outfit",
        clothing=garments.output,
        pose="walking towards the camera",
        background="a quiet street after rain",
        aspect_ratio="3:4",
        output=OUTPUT + "outfits/",
    )


fashion_models()
