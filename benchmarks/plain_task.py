"""An operator without Airflow around it, in a process of its own, for measurements that do not depend on workers.

``python -m benchmarks.plain_task '{"operator": …, "output": …}'`` takes the operator's name and its arguments as JSON
and prints what it took, as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.servers import as_variables
from benchmarks.tables import ROOT


@dataclass(frozen=True)
class Taken:
    """The cost of one execution.

    :param summary: the operator's return value.
    :param seconds: of its ``execute``.
    :param cpu: CPU seconds of its ``execute``.
    :param peak: the largest memory of the whole process, in MB.
    """

    summary: Any
    seconds: float
    cpu: float
    peak: float


def execute(
    connections: dict[str, dict[str, Any]],
    operator: str = "ImageGenerationBatchOperator",
    seconds: float = 1500,
    **arguments: Any,
) -> Taken:
    """Execute an operator in a process of its own.

    :raises RuntimeError: if it failed.
    """
    with tempfile.TemporaryDirectory(prefix="bench-home-") as home:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.plain_task", json.dumps({"operator": operator, **arguments})],
            env={**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": str(ROOT), **as_variables(connections)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"the operator failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return Taken(**json.loads(done.stdout.splitlines()[-1]))


class _TaskInstance:
    """The part of a running task instance that operators use."""

    dag_id, run_id, task_id, map_index, try_number, max_tries = "bench", "now", "generate", -1, 1, 0

    def xcom_push(self, key: str, value: Any) -> None:
        """Discard the value: there is no Airflow to keep it."""


def main(arguments: dict[str, Any]) -> None:
    """Execute the operator and print what it took, without Airflow's search for storage providers (a second)."""
    from airflow.sdk import ObjectStoragePath

    from airflow_claid import operators

    ObjectStoragePath("file:///").fs  # noqa: B018 - makes Airflow look
    logging.basicConfig(level=logging.ERROR)
    operator = getattr(operators, arguments.pop("operator"))(task_id="generate", **arguments)
    began, cpu = time.monotonic(), time.process_time()
    summary = operator.execute({"ti": _TaskInstance()})
    taken = Taken(
        summary,
        time.monotonic() - began,
        time.process_time() - cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    print(json.dumps(asdict(taken)))


def write_prompts(path: Path, count: int, what: str) -> str:
    """Write a JSON Lines file of distinct prompts; return its address."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write(json.dumps({"prompt": f"{what}, number {number}"}) + "\n")
    return f"file://{path}"


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
