"""A nightly batch that must be ready in the morning: Airflow writes an e-mail where a run is not over after two hours.

Deadlines need Airflow 3.1 or later. A missed one stops nothing: the batch goes on, and what it has paid for is kept.
The e-mail is sent by the triggerer, with the Airflow connection ``smtp_default``; any other notifier that is
awaitable, or function of your own in a module that the triggerer can import, does as well.

Parameters: ``output`` is any folder that Airflow can write to. A second run costs nothing.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag

from airflow_claid.operators import ImageGenerationBatchOperator

try:
    from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
except ImportError:  # Airflow 3.1
    from airflow.sdk.definitions.deadline import (  # type: ignore[no-redef,attr-defined,unused-ignore]
        AsyncCallback,
        DeadlineAlert,
        DeadlineReference,
    )

PROMPTS = [
    {"sku": "LT-1", "prompt": "A brass desk lamp on an oak table"},
    {"sku": "LT-2", "prompt": "A paper lantern in a dark room"},
]


@dag(
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={"output": Param("file:///tmp/deadline/", type="string", pattern="/$", title="Folder of the pictures")},
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=2),
        callback=AsyncCallback(
            "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
            kwargs={
                "from_email": "airflow@shop.example",
                "to": "pictures@shop.example",
                "subject": "The pictures of the night are late",
                "html_content": "The DAG 'deadline' is not over after two hours. The task's log says how far it is.",
            },
        ),
    ),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def deadline() -> None:
    ImageGenerationBatchOperator(
        task_id="pictures", prompts=PROMPTS, columns={"name": "sku"}, output="{{ params.output }}"
    )


deadline()
