"""Edit all pictures of a folder with one request.

Parameters: ``output`` is a folder of a connected storage that the Claid connection maps: Airflow lists the pictures in
``generated/`` there, so that the price is known first, and Claid writes the edited ones to ``list/``.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import ImageFolderEditOperator, ImageGenerationOperator

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "output": Param(
            "storage://shop/batch_edit/", type="string", pattern="/$", title="Folder in a connected storage"
        )
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def batch_edit() -> None:
    generate = ImageGenerationOperator.partial(task_id="generate", output=OUTPUT + "generated/").expand(
        prompt=["A linen sofa", "A brass desk lamp", "A walnut sideboard"]
    )
    generate >> ImageFolderEditOperator(
        task_id="edit",
        input=OUTPUT + "generated/",
        recursive=True,
        operations={"resizing": {"width": 800, "fit": "bounds"}},
        output=OUTPUT + "list/",
        max_credits=10,
    )


batch_edit()
