"""Cut out the photographs of a bucket each night: only those that are new, or were replaced.

The folder is listed and compared with the manifest of the night before. A photograph with the same content costs
nothing, however often it was uploaded; a new or changed one is one request and 1 credit. Of one that was removed the
manifest says that it is gone; its cut-out stays.

Look at a few first: trigger the DAG with ``preview`` = 20. The night's run then pays for none of them again.

Parameters: ``photos`` is any folder that Airflow can list, ``output`` any that it can write to, such as
``s3://my_aws@bucket/…/``; ``max_credits`` is a ceiling for each night.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

from airflow_claid.operators import ImageEditBatchOperator

PHOTOS = Path(__file__).parent / "data" / "photos"


@dag(
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "photos": Param(f"file://{PHOTOS}/", type="string", pattern="/$", title="Folder of the photographs"),
        "output": Param("file:///tmp/nightly_photos/", type="string", pattern="/$", title="Folder of the cut-outs"),
        "preview": Param(0, type="integer", title="Only so many, to look at; 0: all"),
        "max_credits": Param(25_000, type="integer", title="Most credits for a night"),
    },
    render_template_as_native_obj=True,
    default_args={"retries": 3, "retry_delay": pendulum.duration(minutes=1)},
    max_active_runs=1,
    tags=["claid", "example"],
    doc_md=__doc__,
)
def nightly_photos() -> None:
    cut_outs = ImageEditBatchOperator(
        task_id="cut_out",
        input="{{ params.photos }}",
        operations={"background": {"remove": True}},
        output="{{ params.output }}",
        output_format="png",
        preview="{{ params.preview or None }}",
        max_credits="{{ params.max_credits }}",
    )

    @task
    def report(summary: dict[str, Any]) -> str:
        new = summary["items"] - summary["reused"]
        return f"{new} of {summary['items']} are new, {summary['gone']} are gone: {summary['credits']} credits"

    report(cut_outs.output)


nightly_photos()
