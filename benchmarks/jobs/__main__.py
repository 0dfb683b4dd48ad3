"""Let one triggerer wait for a thousand jobs, twice, and print what it took."""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from airflow_claid.client import ClaidClient
from airflow_claid.client.quota.quota import Quota
from airflow_claid.sandbox import Sandbox, SandboxSettings
from benchmarks.jobs.triggerer import ROOT, Airflow, Weight
from benchmarks.jobs.ways import WAYS, Way
from tests.support.postgresql import database, postgresql_server

DOCS = ROOT / "docs" / "waiting.md"
QUOTA = "20/1,1200/60"
_HELD = 3600.0
"""Seconds by which jobs are longer, until the sandbox's clock is advanced when the triggerer starts."""
_PATIENCE = 2
"""The measurement stops this many intervals after the last job's end."""
_HEADER = (
    "waited for by",
    "jobs seen",
    "seen within one interval",
    "median, longest time from end to event",
    "polls",
    "429",
    "polls a second at most",
    "CPU",
    "memory",
)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    :param jobs: number of jobs.
    :param interval: seconds between two polls.
    :param first_end: seconds from the triggerer's start to the first end of a job.
    :param spread: seconds over which the ends are spread.
    """

    jobs: int
    interval: float
    first_end: float
    spread: float


@dataclass(frozen=True)
class Measured:
    """The cost of one way of waiting.

    :param delays: seconds from each job's end to its event, for the jobs whose end was noticed.
    :param polls: moments at which a job was polled, refused or not.
    :param refused: number of polls that were answered 429.
    """

    delays: Sequence[float]
    polls: Sequence[float]
    refused: int
    cpu: float
    memory: float

    def row(self, way: Way, plan: Plan) -> list[str]:
        """Return a row of the table."""
        timely = sum(delay <= plan.interval for delay in self.delays)
        longest = f"{median(self.delays):.0f} s, {max(self.delays):.0f} s" if self.delays else "-"
        return [
            way.title,
            f"{len(self.delays)}",
            f"{timely}",
            longest,
            f"{len(self.polls)}",
            f"{self.refused}",
            f"{_most_in_a_second(self.polls)}",
            f"{self.cpu:.0f} s",
            f"{self.memory:.0f} MB",
        ]


def measure(way: Way, plan: Plan, airflow: Airflow, sandbox: Sandbox) -> Measured:
    """Let jobs run, wait for them, and measure when their ends are noticed."""
    sandbox.reset()
    sandbox.change(quota="")
    submitted = time.monotonic()
    job_ids = _submitted(sandbox, plan)
    sandbox.change(quota=QUOTA)
    airflow.deferred(way.dag_id, way.dag(job_ids, plan.interval), plan.jobs)
    ended: dict[int, float] = {}
    noticed: dict[int, float] = {}
    polled_before = len(sandbox.ledger())
    with airflow.running("triggerer") as process:
        weight = Weight(process.pid)
        begun = time.time()
        sandbox.advance(_HELD - (time.monotonic() - submitted))
        while len(noticed) < plan.jobs and not _hopeless(ended, plan):
            now = time.time()
            for job_id in job_ids:
                if job_id not in ended and sandbox.service.jobs.get("submit_edit", job_id).ended:
                    ended[job_id] = now
            if ended and not noticed and min(ended.values()) == now:
                print(
                    f"    {way.dag_id}: the first job ended {now - begun:.0f} s after the triggerer's start", flush=True
                )
            rows = airflow.rows(
                f"SELECT task_id FROM task_instance WHERE dag_id LIKE '{way.dag_id}%' AND state <> 'deferred' "
                "AND next_method = 'execute_complete'"
            )
            for (task_id,) in rows:
                noticed.setdefault(int(task_id.removeprefix("job_")), time.time())
            weight.measure()
            time.sleep(0.5)
    polls = [entry for entry in sandbox.ledger()[polled_before:] if entry.operation == "get_edit"]
    return Measured(
        delays=[moment - ended[job_id] for job_id, moment in noticed.items() if job_id in ended],
        polls=[datetime.fromisoformat(entry.time).timestamp() for entry in polls],
        refused=sum(entry.status == 429 for entry in polls),
        cpu=weight.cpu,
        memory=weight.memory,
    )


def main() -> int:
    """Measure both ways; print the table, and write it into the page with ``--update-docs``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two polls of a job")
    parser.add_argument(
        "--first-end", type=float, default=80.0, help="seconds from the triggerer's start to the first end"
    )
    parser.add_argument("--spread", type=float, default=60.0, help="seconds over which the jobs end")
    parser.add_argument("--update-docs", action="store_true", help="write the table into docs/waiting.md")
    arguments = parser.parse_args()
    plan = Plan(arguments.jobs, arguments.interval, arguments.first_end, arguments.spread)
    rows = []
    wrong = []
    settings = SandboxSettings(quota="", image_size=64)
    with (
        tempfile.TemporaryDirectory(prefix="bench-jobs-") as home,
        postgresql_server() as server,
        database(server) as address,
        Sandbox(settings) as sandbox,
    ):
        key = {"Authorization": f"Bearer {sandbox.api_key}"}
        airflow = Airflow(
            Path(home),
            address,
            {
                "claid_default": {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url},
                "http_default": {"conn_type": "http", "host": sandbox.url, "extra": key},
            },
        )
        airflow("db", "migrate")
        gc.freeze()  # a look for garbage would hold up the sandbox, which runs in this process
        for way in WAYS:
            print(f"==> {plan.jobs} jobs, {way.title}", flush=True)
            measured = measure(way, plan, airflow, sandbox)
            rows.append(measured.row(way, plan))
            print(f"    {' | '.join(rows[-1])}", flush=True)
            if way is WAYS[0] and (max(measured.delays) > plan.interval or len(measured.delays) < plan.jobs):
                wrong.append("a job's end was seen later than one interval after it, or not at all")
            if way is WAYS[0] and measured.refused:
                wrong.append(f"{measured.refused} polls were refused: more than the quota")
    lines = [_HEADER, ["---"] * len(_HEADER), *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    print(f"\n{text}")
    if arguments.update_docs:
        before, _, rest = DOCS.read_text(encoding="utf-8").partition("<!-- table -->\n")
        after = rest.partition("<!-- end of table -->")[2]
        DOCS.write_text(f"{before}<!-- table -->\n{text}<!-- end of table -->{after}", encoding="utf-8")
    for problem in wrong:
        print(f"NOT AS PROMISED: {problem}")
    return 1 if wrong else 0


def _submitted(sandbox: Sandbox, plan: Plan) -> list[int]:
    """Submit the jobs; each takes the same time in every run."""
    chance = random.Random(0)
    job_ids = []
    with ClaidClient(sandbox.api_key, sandbox.url, quota=Quota(())) as client:
        picture = client.generate_image("A grey vase").output[0].tmp_url or ""
        for _ in range(plan.jobs):
            sandbox.change(job_seconds=_HELD + chance.uniform(plan.first_end, plan.first_end + plan.spread))
            job_ids.append(client.submit_edit(picture, {"resizing": {"width": 9}}).id)
    return job_ids


def _hopeless(ended: dict[int, float], plan: Plan) -> bool:
    """Return whether all jobs ended so long ago that a missing event is unlikely to come."""
    return len(ended) == plan.jobs and time.time() > max(ended.values()) + _PATIENCE * plan.interval


def _most_in_a_second(moments: Sequence[float]) -> int:
    """Count the requests of the busiest second."""
    ordered = sorted(moments)
    most, first = 0, 0
    for last, moment in enumerate(ordered):
        while ordered[first] < moment - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


if __name__ == "__main__":
    sys.exit(main())
