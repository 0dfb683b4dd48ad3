"""Three ways to wait: for a job with a sensor, for the task that submitted it, for pictures from any source.

Parameters: ``output`` is a folder of a connected storage that the Claid connection maps.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import ImageAIEditOperator, ImageGenerationOperator
from airflow_claid.sensors import ClaidImageSensor, ClaidJobSensor

OUTPUT = "{{ params.output }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "output": Param("storage://shop/waiting/", type="string", pattern="/$", title="Folder in a connected storage")
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def waiting() -> None:
    generate = ImageGenerationOperator(
        task_id="generate", prompt="A linen sofa in a bright room", output=OUTPUT + "rooms/"
    )
    winter = {
        "input": generate.output,
        "prompt": "Snow outside the windows",
        "output": OUTPUT + "winter/",
    }
    submit = ImageAIEditOperator(task_id="submit", **winter, wait_for_completion=False)
    job = ClaidJobSensor(task_id="job", job_id=submit.output, kind="ai_edit", mode="reschedule", poke_interval=5)
    deliver = ImageAIEditOperator(task_id="deliver", **winter)
    pictures = ClaidImageSensor(task_id="pictures", output=OUTPUT + "winter/", recursive=True, poke_interval=5)
    job >> deliver >> pictures


waiting()
