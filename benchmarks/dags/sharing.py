"""Generate a catalogue with several workers at once, each with a share of the prompts."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_claid.operators import ImageGenerationBatchOperator

SHARES = int(os.environ.get("BENCH_SHARES", "1"))

with DAG("shared", params={"prompts": "", "output": ""}):
    ImageGenerationBatchOperator.partial(
        task_id="generate",
        prompts="{{ params.prompts }}",
        output="{{ params.output }}",
        retries=3,
        retry_delay=timedelta(seconds=1),
    ).expand(shard=[(share, SHARES) for share in range(SHARES)])
