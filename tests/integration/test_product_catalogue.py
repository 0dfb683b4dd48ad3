"""The main job in real Airflow, to each kind of bucket by changing only ``output``."""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from PIL import Image

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.conftest import s3_connection
from tests.support.airflow import Airflow

SIZES = {"generated": ("PNG", (1024, 1024)), "upscaled": ("PNG", (2048, 2048)), "resized": ("JPEG", (800, 800))}


@pytest.mark.parametrize("place", ["local", "s3", "gcs"])
def test_the_product_list_becomes_pictures_in_a_bucket(
    place: str, request: pytest.FixtureRequest, airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    if place == "local":
        root = f"file://{tmp_path}"
    else:
        root = request.getfixturevalue(place)
        if place == "s3":
            airflow.connections["moto"] = s3_connection(request.getfixturevalue("s3_endpoint"))
    own_sandbox.change(image_size=SandboxSettings.image_size)
    status, log = airflow.run_dag("product_catalogue", {"output": f"{root}/shop/"})
    assert status == 0, log[-3000:]

    catalogue = json.loads(ObjectStoragePath(f"{root}/shop/catalogue.json").read_bytes())
    assert Counter(row["status"] for row in catalogue) == {"done": 25, "blocked": 1, "invalid": 1}
    for row in catalogue:
        for step, expected in SIZES.items():
            paths = row[step]
            assert len(paths) == (1 if row["status"] == "done" else 0)
            for path in paths:
                with Image.open(BytesIO(ObjectStoragePath(path).read_bytes())) as image:
                    assert (image.format, image.size) == expected
    (invalid,) = (row for row in catalogue if row["status"] == "invalid")
    assert "3 to 1024" in invalid["reason"]
    assert sum(row["credits"] for row in catalogue) == own_sandbox.charged() == 25 * 3 + 1
    assert own_sandbox.api_key not in log
    assert _sum_of_receipts(f"{root}/shop/", airflow) == own_sandbox.charged()


def _sum_of_receipts(folder: str, airflow: Airflow) -> float:
    """Return the credits that were charged for certain, where none are in doubt."""
    done = airflow.run("claid", "receipts", "sum", folder, "--recursive", "--json")
    assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout)["total"]
    assert total["credits_in_doubt"] == 0
    return float(total["credits"])
