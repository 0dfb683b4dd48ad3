"""Generate a catalogue in one task, and with a task for each prompt."""

from __future__ import annotations

import json
import os
from datetime import timedelta

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG

from airflow_claid.operators import ImageGenerationBatchOperator

MAPPED = int(os.environ.get("BENCH_MAPPED_TASKS", "1"))

with DAG("batch", params={"prompts": "", "output": ""}):
    ImageGenerationBatchOperator(
        task_id="generate",
        prompts="{{ params.prompts }}",
        output="{{ params.output }}",
        lost_response_grace=10,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )

with DAG("mapped", max_active_tasks=32):
    HttpOperator.partial(
        task_id="generate",
        http_conn_id="claid_http",
        endpoint="v1/image/generate",
        headers={"Content-Type": "application/json"},
        retries=10,
        retry_delay=timedelta(seconds=5),
    ).expand(
        data=[
            json.dumps({"input": f"A mapped lamp, number {number}", "options": {"number_of_images": 1}})
            for number in range(MAPPED)
        ]
    )
