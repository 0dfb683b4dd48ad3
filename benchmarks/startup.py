"""What our operators add to the start of a process, and how long each example DAG takes to be parsed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.tables import ROOT, Table

PROCESSES = 5
MOST_MILLISECONDS, MOST_MODULES = 60, 60
ALL = "all operators"
STATEMENTS = {
    "`import airflow_claid.operators`": "import airflow_claid.operators",
    "`ImageGenerationOperator`": "from airflow_claid.operators import ImageGenerationOperator",
    "`ImageAIEditOperator`": "from airflow_claid.operators import ImageAIEditOperator",
    "`ImageGenerationBatchOperator`": "from airflow_claid.operators import ImageGenerationBatchOperator",
    "`ImageAIEditBatchOperator`": "from airflow_claid.operators import ImageAIEditBatchOperator",
    ALL: "import airflow_claid.operators as ours\nfor name in ours.__all__: getattr(ours, name)",
}
_SCRIPT = """
import json, sys, time
import airflow.sdk.bases.operator, airflow.sdk.bases.sensor, airflow.sdk.exceptions, airflow.sdk.io
from airflow.sdk import DAG, Param, dag, task, task_group
import pendulum
before = set(sys.modules)
began = time.perf_counter()
exec(compile(sys.stdin.read(), sys.argv[1], "exec"), {"__name__": "measured", "__file__": sys.argv[1]})
print(json.dumps({"ms": (time.perf_counter() - began) * 1000, "modules": len(set(sys.modules) - before)}))
"""


def run() -> list[Table]:
    """Measure each in processes of its own that have loaded Airflow's SDK; the fastest of them counts."""
    return [_imports(), _examples()]


def _imports() -> Table:
    table = Table("startup", ("beside `airflow.sdk` with its operators", "ms", "modules"))
    for title, statement in STATEMENTS.items():
        milliseconds, modules = measured(statement)
        table.rows.append((title, f"{milliseconds:.0f}", modules))
        if "import" in title:
            table.expect(milliseconds <= MOST_MILLISECONDS, f"{title} takes {milliseconds:.0f} ms")
        if title != ALL:
            table.expect(modules <= MOST_MODULES, f"{title} loads {modules} modules")
    return table


def _examples() -> Table:
    table = Table("parsing", ("example", "ms", "modules"))
    for path in sorted((ROOT / "dags_examples").glob("*.py")):
        milliseconds, modules = measured(path.read_text(encoding="utf-8"), path)
        table.rows.append((f"`{path.name}`", f"{milliseconds:.0f}", modules))
    return table


def measured(code: str, path: Path = Path("measured.py")) -> tuple[float, int]:
    """Return the milliseconds that code takes in the fastest of several new processes, and the modules it loads."""
    runs = []
    for _ in range(PROCESSES):
        command = [sys.executable, "-c", _SCRIPT, str(path)]
        done = subprocess.run(command, input=code, capture_output=True, text=True, check=True, timeout=300)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(float(one["ms"]) for one in runs), int(runs[0]["modules"])
