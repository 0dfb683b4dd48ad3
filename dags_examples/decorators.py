"""Functions as tasks: make prompts from a row of a catalogue, generate their pictures, choose an edit in Python.

Parameters: ``output`` is any folder that Airflow can write to (``file:///…/``, ``s3://my_aws@bucket/…/``) or a folder
of a connected storage (``storage://NAME/…/``). A second run costs nothing.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

OUTPUT = "{{ params.output }}"
PRODUCTS = [
    {"name": "Linen sofa", "colours": ["sand", "moss green"]},
    {"name": "Brass desk lamp", "colours": ["polished"]},
]


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"output": Param("file:///tmp/decorators/", type="string", pattern="/$", title="Folder of the pictures")},
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def decorators() -> None:
    @task.claid_image(output=OUTPUT + "generated/", on_blocked="skip")
    def pictures(product: dict[str, Any]) -> list[str]:
        return [f"{product['name']}, {colour}, in morning light" for colour in product["colours"]]

    generated = pictures.expand(product=PRODUCTS)

    @task.claid_edit(input=generated, output=OUTPUT + "list/", output_format="png")
    def listed(width: int, logical_date: pendulum.DateTime | None = None) -> dict[str, Any]:
        winter = logical_date is not None and logical_date.month in (12, 1, 2)
        adjustments = {"exposure": 10} if winter else {}
        return {"resizing": {"width": width, "height": "auto", "fit": "bounds"}, "adjustments": adjustments}

    listed(width=400)


decorators()
