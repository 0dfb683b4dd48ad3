"""A batch as one try of a task, in a process of its own: ``python -m tests.support.one_attempt URL OUTPUT TRY``.

Airflow's connections come from the environment. The last line printed is the batch's summary.
"""

from __future__ import annotations

import json
import sys
from functools import partial

from airflow_claid.batch.batch import BatchTerms
from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.operators.bases import batch_parameters

PROMPTS = 40


class TaskInstance:
    """The part of a running task instance that the operator uses."""

    dag_id, run_id, task_id, map_index, max_tries = "shop", "monday", "pictures", -1, 2

    def __init__(self, try_number: int) -> None:
        self.try_number = try_number

    def xcom_push(self, key: str, value: object) -> None:
        """Forget the value."""


def main(output: str, try_number: int, grace: float) -> None:
    """Run the batch, with short pauses, and print its summary."""
    batch_parameters.BatchTerms = partial(BatchTerms, pause=0.1)  # type: ignore[misc,assignment]
    operator = ImageGenerationBatchOperator(
        task_id="pictures",
        prompts=[f"Lamp number {number}" for number in range(PROMPTS)],
        output=output,
        concurrency=8,
        lost_response_grace=grace,
    )
    summary = operator.execute({"ti": TaskInstance(try_number)})  # type: ignore[typeddict-item]
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
