"""Edit a picture by a prompt.

Parameters: ``output`` is a folder of a connected storage, from which Claid also reads the picture: an AI edit uploads
no picture. The Claid connection maps the storage, so that receipts are kept beside the pictures.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import ImageAIEditOperator, ImageGenerationOperator

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "output": Param("storage://shop/ai_edit/", type="string", pattern="/$", title="Folder in a connected storage")
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def ai_edit() -> None:
    generate = ImageGenerationOperator(
        task_id="generate", prompt="A linen sofa in a bright room", output=OUTPUT + "rooms/"
    )
    ImageAIEditOperator(
        task_id="winter",
        input=generate.output,
        prompt="Snow outside the windows, candles on the table",
        number_of_images=2,
        output=OUTPUT + "winter/",
    )


ai_edit()
