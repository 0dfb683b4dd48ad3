"""Run the product catalogue against a sandbox, from the CSV to the finished pictures, and show the result."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from contact_sheet import draw
from local_airflow import DEMO, airflow_environment, command, migrate, sandbox

PICTURES = DEMO / "pictures"
STEPS = ("generated", "upscaled", "resized")


def main() -> int:
    """Run the demo; the exit status is 0 if no product failed."""
    started = time.monotonic()
    DEMO.mkdir(exist_ok=True)
    say("Starting a local Claid (claid-sandbox): nothing here costs real credits")
    with sandbox(DEMO / "sandbox.log") as url:
        environment = airflow_environment(url)
        say("Creating Airflow's database (SQLite) in demo/airflow")
        migrate(environment, DEMO / "migrate.log")
        say("Running the DAG dags_examples/product_catalogue.py in Airflow; its log is demo/airflow.log")
        if not run_dag(environment, DEMO / "airflow.log"):
            say("The DAG failed: see demo/airflow.log")
            return 1
    catalogue = json.loads((PICTURES / "catalogue.json").read_text(encoding="utf-8"))
    result = [entry(product) for product in catalogue]
    (DEMO / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    draw(result, DEMO / "contact_sheet.png")
    print_table(result)
    spent = sum(product["credits"] for product in result)
    say(f"{len(result)} products, {spent:g} sandbox credits, {time.monotonic() - started:.0f} s")
    if spent == 0:
        say("An earlier run paid for everything, so nothing was paid for again (make clean-demo starts afresh)")
    say("Pictures: demo/pictures/   result: demo/result.json   all at a glance: demo/contact_sheet.png")
    return 1 if any(product["status"] == "failed" for product in result) else 0


def run_dag(environment: dict[str, str], log: Path) -> bool:
    """Run the DAG in one process with ``airflow dags test``, and show its progress."""
    conf = json.dumps({"output": f"file://{PICTURES}/"})
    arguments = [command("airflow"), "dags", "test", "product_catalogue", "--conf", conf]
    ended = 0
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )
        for line in process.stdout or ():
            output.write(line)
            if "[DAG TEST] end task" in line:
                ended += 1
                if ended % 10 == 0:
                    print(f"    {ended} tasks done", flush=True)
    return process.wait() == 0


def entry(product: dict[str, Any]) -> dict[str, Any]:
    """Return a product of the catalogue in the form of ``result.json``, with paths instead of addresses."""
    paths = {step: [path.removeprefix("file://") for path in product[step]] for step in STEPS}
    kept = {name: product[name] for name in ("sku", "prompt", "status", "reason", "credits")}
    return {**kept, **paths}


def print_table(result: list[dict[str, Any]]) -> None:
    """Print one line for each product."""
    print(f"\n{'product':<9} {'status':<8} {'picture':<15} {'upscaled':<15} {'resized':<15} credits")
    for product in result:
        names = (Path(product[step][0]).name if product[step] else "-" for step in STEPS)
        columns = " ".join(f"{name:<15}" for name in names)
        print(f"{product['sku']:<9} {product['status']:<8} {columns} {product['credits']:g}")
        if product["reason"]:
            print(f"{'':<9} {product['reason']}")
    print()


def say(text: str) -> None:
    """Print what happens next."""
    print(f"==> {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
