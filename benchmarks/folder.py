"""A folder of pictures edited: our operators beside the package ``claidai``, under the same quota."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.allowance import used
from benchmarks.plain_task import execute
from benchmarks.rivals import rival
from benchmarks.servers import KEY, ClaidProcess, claid, connections
from benchmarks.tables import Table, percent

PICTURES = 60
QUOTA = "120/60,4/1"
SHOP = "storage://shop/"
_EDIT = {"resizing": {"width": 100, "height": 100, "fit": "crop"}}


def run() -> list[Table]:
    """Edit the same pictures in each way."""
    table = Table("folder", ("", "pictures", "edited", "failed", "seconds", "429", "the quota used"))
    with tempfile.TemporaryDirectory(prefix="bench-folder-") as folder:
        bucket, source, local = Path(folder) / "bucket", Path(folder) / "bucket" / "photos", f"file://{folder}/ours/"
        with claid("--quota", QUOTA, "--latency", "1+-0.4", "--job-seconds", "1", bucket=bucket) as sandbox:
            _write_pictures(source)
            found = rival(
                "claidai_folder", url=sandbox.url, key=KEY, source=str(source), target=str(Path(folder) / "claidai")
            )
            table.rows.append(
                ("`claidai`, 4 workers", *_facts(sandbox, int(found["done"]), int(found["failed"]), found["seconds"]))
            )
            names = sorted(path.name for path in source.iterdir())
            for operator, what, given, output in (
                ("ImageEditOperator", "a local folder", [f"{source.as_uri()}/{name}" for name in names], local),
                ("ImageEditOperator", "a connected storage", [f"{SHOP}photos/{name}" for name in names], f"{SHOP}one/"),
                ("ImageBatchEditOperator", "a connected storage", f"{SHOP}photos/", f"{SHOP}batch/"),
            ):
                sandbox.reset()
                time.sleep(1)
                taken = execute(connections(sandbox, bucket), operator, input=given, operations=_EDIT, output=output)
                edited = len(taken.summary)
                table.rows.append((f"{operator}, {what}", *_facts(sandbox, edited, PICTURES - edited, taken.seconds)))
                table.expect(edited == PICTURES, f"{operator}, {what}: {edited} of {PICTURES} edited")
    return [table]


def _facts(sandbox: ClaidProcess, edited: int, failed: int, seconds: float) -> tuple[object, ...]:
    sent = [one for one in sandbox.requests() if one.operation not in ("list_storages", "get_storage")]
    accepted = [one.arrived for one in sent if one.status != 429]
    refused = len(sent) - len(accepted)
    return (PICTURES, edited, failed, f"{seconds:.0f}", refused, percent(used(QUOTA, accepted)))


def _write_pictures(folder: Path) -> None:
    from airflow_claid.sandbox.pictures import Recipe, png

    folder.mkdir(parents=True)
    for number in range(PICTURES):
        picture = png(Recipe(f"A photo, number {number}", width=256, height=256))
        (folder / f"photo-{number:03}.png").write_bytes(picture)
