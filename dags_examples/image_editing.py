"""One picture, four edits: larger, smaller, cut out, and any of Claid's operations in one go.

Parameters: ``output`` is any folder that Airflow can write to, or a folder of a connected storage. Each edit has
its own folder, because the files keep the names of their inputs.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import (
    ImageEditOperator,
    ImageGenerationOperator,
    ImageResizeOperator,
    ImageUpscaleOperator,
)

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"output": Param("file:///tmp/image_editing/", type="string", pattern="/$", title="Folder of the pictures")},
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def image_editing() -> None:
    generate = ImageGenerationOperator(
        task_id="generate", prompt="A linen sofa", name="SOFA", output=OUTPUT + "generated/"
    )
    upscale = ImageUpscaleOperator(
        task_id="upscale", input=generate.output, scale="200%", output=OUTPUT + "large/", output_format="png"
    )
    ImageResizeOperator(
        task_id="resize",
        input=upscale.output,
        width=800,
        output=OUTPUT + "list/",
        output_format={"type": "jpeg", "quality": 90},
    )
    ImageEditOperator(
        task_id="cut_out",
        input=generate.output,
        operations={"background": {"remove": True, "color": "transparent"}},
        output=OUTPUT + "cut_out/",
        output_format="png",
    )
    ImageEditOperator(
        task_id="polish",
        input=generate.output,
        operations={
            "restorations": {"decompress": "auto", "polish": True},
            "adjustments": {"hdr": 40, "sharpness": 20, "saturation": 10},
            "resizing": {"width": 1200, "height": 1200, "fit": "canvas"},
            "background": {"color": "#ffffff"},
            "padding": "5%",
        },
        output=OUTPUT + "polished/",
    )


image_editing()
