"""Connect a bucket to Claid for one run: connect, write into it, disconnect.

Parameters: ``name`` of the storage, ``bucket``, and the Airflow connection of type ``aws`` or
``google_cloud_platform`` whose key pair opens it. The bucket keeps the pictures.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import ConnectStorageOperator, DisconnectStorageOperator, ImageGenerationOperator

NAME = "{{ params.name }}"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "name": Param("spring", type="string", maxLength=50, title="Name of the storage"),
        "bucket": Param("shop-pictures", type="string", title="Bucket"),
        "connection_id": Param("aws_default", type="string", title="Airflow connection with the bucket's keys"),
    },
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=30)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def connected_storage() -> None:
    connect = ConnectStorageOperator(
        task_id="connect", name=NAME, connection_id="{{ params.connection_id }}", bucket="{{ params.bucket }}"
    )
    generate = ImageGenerationOperator(
        task_id="generate", prompt="A linen sofa in spring light", output=f"storage://{NAME}/sofas/"
    )
    disconnect = DisconnectStorageOperator(task_id="disconnect", name=NAME, trigger_rule="all_done")
    connect >> generate >> disconnect


connected_storage()
