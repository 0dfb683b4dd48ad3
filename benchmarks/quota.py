"""A thousand prompts in one task of a real Airflow, beside a thread pool and mapped HttpOperator tasks.

How much of the quota each uses, and what each costs on the worker.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.allowance import allowed, used
from benchmarks.plain_task import write_prompts
from benchmarks.rivals import rival
from benchmarks.running_airflow import SLOTS, RunningAirflow, running_airflow
from benchmarks.servers import KEY, ClaidProcess, claid, connections
from benchmarks.tables import Table, percent

QUOTA = "600/60,20/1"
PROMPTS = 1000
MORE_PROMPTS = 2000
MAPPED = 200
THREADS = (32, 128)


@dataclass(frozen=True)
class _Way:
    """The result of one way, by the sandbox's ledger.

    :param images: number of prompts that were answered with a picture.
    :param accepted: arrivals of the requests that count in the quota.
    :param cpu: CPU seconds on the worker.
    """

    title: str
    images: int
    accepted: list[float]
    refused: int
    cpu: float
    slots: str

    @property
    def seconds(self) -> float:
        return max(self.accepted) - min(self.accepted)

    @property
    def used(self) -> float:
        return used(QUOTA, self.accepted)

    @property
    def cpu_per_thousand(self) -> float:
        return self.cpu * 1000 / self.images


def run() -> list[Table]:
    """Measure all ways, one after the other, against one sandbox."""
    with tempfile.TemporaryDirectory(prefix="bench-quota-") as folder:
        bucket = Path(folder) / "bucket"
        prompts, first_prompts, more_prompts = (
            write_prompts(Path(folder) / f"{word}.jsonl", count, f"A {word} lamp")
            for word, count in (("quick", PROMPTS), ("new", PROMPTS), ("long", MORE_PROMPTS))
        )
        with claid("--quota", QUOTA, "--latency", "5+-2", "--image-size", "256", bucket=bucket) as sandbox:
            with running_airflow(connections(sandbox, bucket), {"BENCH_MAPPED_TASKS": str(MAPPED)}) as airflow:
                conf = {"prompts": prompts, "output": "storage://shop/quota/"}
                first = _in_airflow(
                    "the same on an account whose answers are not proven",
                    "1",
                    sandbox,
                    airflow,
                    lambda: airflow.run("batch", {**conf, "prompts": first_prompts}),
                )
                ours = _in_airflow(
                    "the batch operator, one task", "1", sandbox, airflow, lambda: airflow.run("batch", conf)
                )
                long = _in_airflow(
                    f"the same, {MORE_PROMPTS:,} prompts",
                    "1",
                    sandbox,
                    airflow,
                    lambda: airflow.run("batch", {**conf, "prompts": more_prompts}),
                )
                mapped = _in_airflow(
                    f"{MAPPED} mapped HttpOperator tasks",
                    str(SLOTS),
                    sandbox,
                    airflow,
                    lambda: airflow.run("mapped", {}),
                )
            pools = [_pool(threads, sandbox) for threads in THREADS]
    return [_of_quota(ours, long, first, mapped, pools), _of_cost(ours, mapped)]


def _in_airflow(
    title: str, slots: str, sandbox: ClaidProcess, airflow: RunningAirflow, work: Callable[[], object]
) -> _Way:
    _with_a_fresh_quota(sandbox)
    before = airflow.cpu_of_tasks()
    work()
    return _way(title, slots, sandbox, airflow.cpu_of_tasks() - before)


def _pool(threads: int, sandbox: ClaidProcess) -> _Way:
    _with_a_fresh_quota(sandbox)
    result = rival("sleep_on_429", url=sandbox.url, key=KEY, prompts=PROMPTS, threads=threads)
    return _way(f"{threads} threads that sleep on 429", "1", sandbox, result["cpu"])


def _with_a_fresh_quota(sandbox: ClaidProcess) -> None:
    sandbox.reset()
    time.sleep(1)


def _way(title: str, slots: str, sandbox: ClaidProcess, cpu: float) -> _Way:
    sent = sandbox.requests_of_the_quota()
    images = sum(request.credits > 0 for request in sent)
    accepted = [request.arrived for request in sent if request.status != 429]
    way = _Way(title, images, accepted, len(sent) - len(accepted), cpu, slots)
    print(f"    {title}: {images} images, {percent(way.used)} of the quota, {cpu:.1f} s of CPU", flush=True)
    return way


def _of_quota(ours: _Way, long: _Way, first: _Way, mapped: _Way, pools: list[_Way]) -> Table:
    table = Table("quota", ("", "images", "requests", "first to last request", "the quota allowed", "used", "429"))
    for way in (ours, long, first, *pools, mapped):
        table.rows.append(
            (
                way.title,
                way.images,
                len(way.accepted),
                f"{way.seconds:.1f} s",
                allowed(QUOTA, way.seconds),
                percent(way.used),
                way.refused,
            )
        )
    for way, prompts, least in ((ours, PROMPTS, 0.98), (long, MORE_PROMPTS, 0.985)):
        table.expect(way.images == prompts, f"{way.images} of {prompts} prompts were charged")
        table.expect(way.used >= least, f"{percent(way.used)} of the quota used for {prompts} prompts")
        table.expect(way.refused == 0, f"{way.refused} requests were refused")
    return table


def _of_cost(ours: _Way, mapped: _Way) -> Table:
    table = Table("cost", ("", "worker slots", "CPU seconds for 1,000 images", "ratio"))
    ratio = mapped.cpu_per_thousand / ours.cpu_per_thousand
    table.rows.append((ours.title, ours.slots, f"{ours.cpu_per_thousand:.1f}", 1))
    table.rows.append((mapped.title, mapped.slots, f"{mapped.cpu_per_thousand:.0f}", f"{ratio:.0f}"))
    table.expect(ratio >= 20, f"mapped tasks take only {ratio:.1f} times the CPU")
    return table
