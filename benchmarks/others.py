"""Another client uses a third of the account's quota for a minute."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import requests

from benchmarks.allowance import used
from benchmarks.plain_task import execute, write_prompts
from benchmarks.servers import ClaidProcess, claid, connections
from benchmarks.tables import Table, percent

QUOTA = "600/60,20/1"
PROMPTS = 800
OF_OTHERS = 200
THEIR_SECONDS = 60.0
A_HANDFUL = 5


def run() -> list[Table]:
    """Start the other client ten seconds after us."""
    table = Table("others", ("", "requests", "429", "failed"))
    with tempfile.TemporaryDirectory(prefix="bench-others-") as folder:
        bucket = Path(folder) / "bucket"
        prompts = write_prompts(Path(folder) / "prompts.jsonl", PROMPTS, "A polite lamp")
        with claid("--quota", QUOTA, "--latency", "5+-2", "--image-size", "64", bucket=bucket) as sandbox:
            label = sandbox.add_key("other-key")
            other = threading.Thread(target=_other_client, args=(sandbox,))
            other.start()
            taken = execute(connections(sandbox, bucket), prompts=prompts, output="storage://shop/others/")
            other.join()
            sent = sandbox.requests_of_the_quota()
    failed = taken.summary["items"] - taken.summary["done"]
    ours = [one for one in sent if one.key != label]
    theirs = [one for one in sent if one.key == label]
    refused = sum(one.status == 429 for one in ours)
    table.rows.append(("the batch operator", len(ours), refused, failed))
    table.rows.append(("the other client", len(theirs), sum(one.status == 429 for one in theirs), "-"))
    share = percent(used(QUOTA, [one.arrived for one in sent if one.status != 429]))
    table.rows.append((f"together: {share} of the quota used", len(sent), "", ""))
    table.expect(failed == 0 and taken.summary["done"] == PROMPTS, f"{taken.summary}")
    table.expect(refused <= A_HANDFUL, f"{refused} requests of ours were refused")
    return [table]


def _other_client(sandbox: ClaidProcess) -> None:
    """Send requests at a steady pace, without waiting for the answers."""
    time.sleep(10)
    threads = []
    for number in range(OF_OTHERS):
        threads.append(threading.Thread(target=_ask, args=(sandbox, number)))
        threads[-1].start()
        time.sleep(THEIR_SECONDS / OF_OTHERS)
    for thread in threads:
        thread.join()


def _ask(sandbox: ClaidProcess, number: int) -> None:
    body = {"input": f"Another client's lamp, number {number}", "options": {"number_of_images": 1}}
    requests.post(
        f"{sandbox.url}/v1/image/generate", json=body, headers={"Authorization": "Bearer other-key"}, timeout=60
    )
