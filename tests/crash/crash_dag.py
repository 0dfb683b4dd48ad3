"""The DAG whose task is killed."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_claid.operators import ImageGenerationOperator

with DAG("crash", params={"prompt": "A lamp", "output": ""}, max_active_runs=16):
    ImageGenerationOperator(
        task_id="generate",
        prompt="{{ params.prompt }}",
        number_of_images=2,
        output="{{ params.output }}",
        lost_response_grace=3,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
