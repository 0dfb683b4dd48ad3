"""Print the crash table; the exit status tells whether it is as the rules of money promise."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from airflow_claid.sandbox import Sandbox, SandboxSettings, StorageSettings
from tests.crash import same_moment
from tests.crash.holding_proxy import HoldingProxy
from tests.crash.moments import MOMENTS, Moment, Stage, half_downloaded
from tests.crash.places import CrashPlace, Servers, places
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import Airflow
from tests.support.gcs import gcs_server
from tests.support.processes import free_port
from tests.support.s3 import S3_KEYS, s3_server
from tests.support.write_once import write_once

ASKED = 2
DOCS = Path(__file__).resolve().parents[2] / "docs" / "crashes.md"


@dataclass(frozen=True)
class Cell:
    """What one kill cost: images charged, images that the task handed on, pictures that lie in the place."""

    charged: float
    handed_on: int
    lying_there: int | None

    def __str__(self) -> str:
        return f"{self.charged:g} / {self.handed_on}"


@dataclass
class Table:
    """Everything that the scenarios share."""

    airflow: Standalone
    sandbox: Sandbox
    servers: Servers
    claid: HoldingProxy
    buckets: dict[str, HoldingProxy]
    api: HoldingProxy

    def cell(self, place: CrashPlace, moment: Moment, number: int) -> Cell | None:
        """Kill a task at a moment, let Airflow retry it, and count; ``None`` where the moment does not occur."""
        if moment.bring is half_downloaded and not place.downloads:
            return None
        scenario = f"scenario-{number}"
        stage = Stage(self.sandbox, self.claid, self.buckets, self.api, place, scenario)
        kill_there = moment.bring(stage)
        conf = {"prompt": f"A lamp, {scenario}", "output": (place.output or "").format(id=scenario)}
        run_id = self.airflow.trigger("crash", conf)
        kill_there()
        state = self.airflow.ended("crash", run_id)
        if state != "success":
            raise RuntimeError(
                f"{place.title}, {moment.title}: the run ended as {state}\n{self.airflow.logs()[-4000:]}"
            )
        charged = sum(
            entry.credits for entry in self.sandbox.ledger("generate_image") if (entry.prompt or "").endswith(scenario)
        )
        handed_on = set(self.airflow.xcom("crash", run_id, "generate"))
        lying = place.pictures(self.servers, scenario) if place.output else None
        return Cell(charged, len(handed_on), None if lying is None else len(lying))


def main(update_docs: bool) -> int:
    """Fill the table, print it, and say where it is not as promised."""
    started = time.monotonic()
    wrong: list[str] = []
    rows: list[list[str]] = []
    with everything() as table:
        number = 0
        for place in places(table.servers.folder):
            row = [place.title]
            for moment in MOMENTS:
                number += 1
                cell = table.cell(place, moment, number)
                print(f"    {place.title}, {moment.title}: {cell or 'does not occur'}", flush=True)
                row.append(str(cell) if cell else "-")
                wrong += judged(place, moment, cell)
            rows.append(row)
    text = markdown(rows)
    print(f"\nImages charged / images delivered, of {ASKED} asked for:\n\n{text}\n{time.monotonic() - started:.0f} s")
    if update_docs:
        before, _, rest = DOCS.read_text(encoding="utf-8").partition("<!-- table -->\n")
        after = rest.partition("<!-- end of table -->")[2]
        DOCS.write_text(f"{before}<!-- table -->\n{text}<!-- end of table -->{after}", encoding="utf-8")
    elif text not in DOCS.read_text(encoding="utf-8"):
        wrong.append("docs/crashes.md shows another table: run make crash-docs")
    for problem in wrong:
        print(f"NOT AS PROMISED: {problem}")
    return 1 if wrong else 0


def judged(place: CrashPlace, moment: Moment, cell: Cell | None) -> list[str]:
    """Say what in a cell breaks a promise."""
    if cell is None:
        return []
    what = f"{place.title}, {moment.title}"
    may_pay_twice = moment.loses_the_answer and not place.covered
    problems = []
    if cell.charged > ASKED * (2 if may_pay_twice else 1) or cell.charged < ASKED:
        problems.append(f"{what}: {cell.charged:g} images charged")
    if cell.handed_on != ASKED:
        problems.append(f"{what}: {cell.handed_on} images handed on")
    if cell.lying_there not in (None, ASKED):
        problems.append(f"{what}: {cell.lying_there} pictures lie there")
    return problems


def markdown(rows: list[list[str]]) -> str:
    """Lay the table out."""
    header = ["place", *(moment.title for moment in MOMENTS)]
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@contextmanager
def everything() -> Iterator[Table]:
    """Start the sandbox, the buckets, the proxies and Airflow; stop them in the end."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-")))
        claid_port = free_port()
        s3 = stack.enter_context(s3_server())
        gcs = stack.enter_context(gcs_server("pictures"))
        for bucket in ("connected", "plain", "once"):
            boto3.client("s3", endpoint_url=s3, **S3_KEYS).create_bucket(Bucket=bucket)
        claid = _proxy(stack, f"http://127.0.0.1:{claid_port}")
        settings = SandboxSettings(
            port=claid_port,
            quota="",
            public_url=claid.url,
            storages=(StorageSettings("shop", "connected"),),
            buckets={"connected": s3},
        )
        sandbox = stack.enter_context(Sandbox(settings))
        once = stack.enter_context(write_once(s3))
        buckets = {"s3": _proxy(stack, s3), "gcs": _proxy(stack, gcs), "once": once}
        servers = Servers(s3, gcs, buckets["s3"].url, buckets["gcs"].url, once.url, root / "pictures")
        airflow = _airflow(root, servers, claid.url, sandbox.api_key)
        api_port = free_port()
        api = _proxy(stack, f"http://127.0.0.1:{api_port}")
        print("==> Starting Airflow (scheduler, executor, API)", flush=True)
        running = stack.enter_context(standalone(airflow, port=api_port, execution_url=f"{api.url}/execution/"))
        yield Table(running, sandbox, servers, claid, buckets, api)


def _airflow(root: Path, servers: Servers, claid_url: str, key: str) -> Airflow:
    home, dags = root / "airflow", root / "dags"
    home.mkdir()
    dags.mkdir()
    (dags / "crash_dag.py").write_text((Path(__file__).parent / "crash_dag.py").read_text(encoding="utf-8"))
    extra = {"storages": {"shop": "aws_shop"}}
    connections = {"claid_default": {"conn_type": "claid", "password": key, "host": claid_url, "extra": extra}}
    return Airflow(home, dags, connections | servers.connections, dict(servers.environment))


def _proxy(stack: ExitStack, upstream: str) -> HoldingProxy:
    proxy = HoldingProxy(upstream)
    stack.callback(proxy.stop)
    return proxy


if __name__ == "__main__":
    sys.exit(same_moment.main() or main("--update-docs" in sys.argv))
