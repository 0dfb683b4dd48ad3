"""Four Celery workers share one account's quota through a Redis, and again with the Redis killed halfway.

The quota has its own Redis, and so has Celery.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from benchmarks.allowance import allowed, used
from benchmarks.plain_task import write_prompts
from benchmarks.running_airflow import DAGS
from benchmarks.servers import ClaidProcess, claid, connections
from benchmarks.tables import Table, percent
from tests.integration.celery_airflow import Cluster, celery_airflow
from tests.support.airflow import Airflow
from tests.support.postgresql import postgresql_server
from tests.support.processes import free_port
from tests.support.redis import redis_process, redis_server

QUOTA = "600/60,20/1"
WORKERS = 4
PROMPTS = 375 * WORKERS
KILLED_AFTER = 40.0
ENOUGH = 0.95
A_FEW = 0.01


def run() -> list[Table]:
    """Run the same catalogue with the Redis, and with the Redis killed 40 s after the first request."""
    table = Table(
        "shared_quota", ("the quota's Redis", "prompts", "first to last request", "the quota allowed", "used", "429")
    )
    with tempfile.TemporaryDirectory(prefix="bench-shared-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        home, dags, bucket = folder / "home", folder / "dags", folder / "bucket"
        home.mkdir()
        dags.mkdir()
        shutil.copy(DAGS / "sharing.py", dags)
        port = free_port()
        with claid("--quota", QUOTA, "--latency", "5+-2", "--image-size", "64", bucket=bucket) as sandbox:
            to_claid = connections(sandbox, bucket)
            to_claid["claid_default"]["extra"]["quota_store"] = f"redis://127.0.0.1:{port}/0"
            airflow = Airflow(home, dags, to_claid, {"BENCH_SHARES": str(WORKERS)})
            with (
                postgresql_server() as postgresql,
                redis_server() as broker,
                celery_airflow(airflow, WORKERS, postgresql=postgresql, broker=broker) as cluster,
            ):
                whole = _catalogue(cluster, sandbox, folder, port, "there", kill=False)
                cut = _catalogue(cluster, sandbox, folder, port, f"killed after {KILLED_AFTER:.0f} s", kill=True)
    for title, accepted, refused in (whole, cut):
        seconds = max(accepted) - min(accepted)
        share = percent(used(QUOTA, accepted))
        table.rows.append((title, len(accepted), f"{seconds:.1f} s", allowed(QUOTA, seconds), share, refused))
        table.expect(len(accepted) == PROMPTS, f"{title}: {len(accepted)} prompts were charged")
    table.expect(used(QUOTA, whole[1]) >= ENOUGH, f"{percent(used(QUOTA, whole[1]))} of the quota used")
    table.expect(whole[2] == 0, f"{whole[2]} requests were refused")
    table.expect(cut[2] < A_FEW * PROMPTS, f"without the Redis, {cut[2]} requests were refused")
    return [table]


def _catalogue(
    cluster: Cluster, sandbox: ClaidProcess, folder: Path, port: int, title: str, *, kill: bool
) -> tuple[str, list[float], int]:
    """Run the DAG once; return the arrivals of the accepted requests, and the number of refused ones."""
    sandbox.reset()
    time.sleep(1)
    prompts = write_prompts(folder / f"{title}.jsonl", PROMPTS, f"A lamp with the Redis {title}")
    with redis_process(port) as server:
        killer = threading.Thread(target=_kill, args=(server, sandbox))
        if kill:
            killer.start()
        run_id = cluster.api.trigger("shared", {"prompts": prompts, "output": f"storage://shop/{title[:5]}/"})
        if cluster.api.ended("shared", run_id, 600) != "success":
            raise RuntimeError(f"the DAG failed:\n{cluster.api.logs()[-3000:]}")
        if kill:
            killer.join()
    sent = sandbox.requests("generate_image")
    accepted = Counter(one.prompt for one in sent if one.status == 200)
    if any(times > 1 for times in accepted.values()):
        raise RuntimeError(f"charged more than once: {accepted.most_common(3)}")
    return title, [one.arrived for one in sent if one.status == 200], sum(one.status == 429 for one in sent)


def _kill(server: subprocess.Popen[bytes], sandbox: ClaidProcess) -> None:
    """Kill the Redis this many seconds after the first request."""
    while not sandbox.requests("generate_image"):
        time.sleep(0.2)
    time.sleep(KILLED_AFTER)
    server.kill()


if __name__ == "__main__":
    for one in run():
        print(one, one.wrong)
