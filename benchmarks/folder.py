"""Edit a folder of pictures: our operators beside the package ``claidai``, under two quotas."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.plain_task import execute
from benchmarks.rivals import rival
from benchmarks.servers import KEY, ClaidProcess, claid, connections
from benchmarks.tables import Table

PICTURES = 25
QUOTAS = ("120/60,4/1", "600/60,20/1")
SHOP = "storage://shop/"
_EDIT = {"resizing": {"width": 100, "height": 100, "fit": "crop"}}


def run() -> list[Table]:
    """Edit the same pictures in each way, under each quota."""
    table = Table("folder", ("quota", "", "pictures", "edited", "failed", "seconds", "429"))
    with tempfile.TemporaryDirectory(prefix="bench-folder-") as name:
        folder = Path(name)
        _write_pictures(folder / "bucket" / "photos")
        with claid("--latency", "1+-0.4", "--job-seconds", "1", bucket=folder / "bucket") as sandbox:
            for quota in QUOTAS:
                _with_a_fresh(quota, sandbox)
                result = rival(
                    "claidai_folder",
                    url=sandbox.url,
                    key=KEY,
                    source=str(folder / "bucket" / "photos"),
                    target=str(folder / "claidai"),
                )
                row = (int(result["done"]), int(result["failed"]), f"{result['seconds']:.0f}", _refused(sandbox))
                table.rows.append((quota, "`claidai`, 4 workers, a local folder", PICTURES, *row))
                _ours(table, quota, sandbox, folder)
    return [table]


def _ours(table: Table, quota: str, sandbox: ClaidProcess, folder: Path) -> None:
    names = sorted(path.name for path in (folder / "bucket" / "photos").iterdir())
    mark = quota.partition("/")[0]
    for operator, what, pictures, output in (
        (
            "ImageEditOperator",
            "a local folder",
            [(folder / "bucket" / "photos" / name).as_uri() for name in names],
            f"file://{folder}/ours-{mark}/",
        ),
        (
            "ImageEditOperator",
            "a connected storage",
            [f"{SHOP}photos/{name}" for name in names],
            f"{SHOP}each-{mark}/",
        ),
        ("ImageFolderEditOperator", "a connected storage", f"{SHOP}photos/", f"{SHOP}batch-{mark}/"),
    ):
        _with_a_fresh(quota, sandbox)
        taken = execute(
            connections(sandbox, folder / "bucket"), operator, input=pictures, operations=_EDIT, output=output
        )
        edited = len(taken.summary)
        row = (edited, PICTURES - edited, f"{taken.seconds:.0f}", _refused(sandbox))
        print(f"    {quota}, {operator}, {what}: {row}", flush=True)
        table.rows.append((quota, f"{operator}, {what}", PICTURES, *row))
        table.expect(edited == PICTURES, f"{operator}, {what}: {edited} of {PICTURES} edited")


def _with_a_fresh(quota: str, sandbox: ClaidProcess) -> None:
    sandbox.reset()
    sandbox.change(quota=quota)
    time.sleep(1)


def _refused(sandbox: ClaidProcess) -> int:
    return sum(one.status == 429 for one in sandbox.requests_of_the_quota())


def _write_pictures(folder: Path) -> None:
    from airflow_claid.sandbox.drawing.pictures import Recipe, png

    folder.mkdir(parents=True)
    for number in range(PICTURES):
        picture = png(Recipe(f"A photo, number {number}", width=256, height=256))
        (folder / f"photo-{number:03}.png").write_bytes(picture)
