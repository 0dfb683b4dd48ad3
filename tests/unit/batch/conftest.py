"""A shop whose batches are of AI edits."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from airflow_claid.client import ClaidClient
from airflow_claid.sandbox import Sandbox
from tests.support.job_batch import Shop


@pytest.fixture
def shop(sandbox: Sandbox, claid: ClaidClient, tmp_path: Path) -> Shop:
    (tmp_path / "shop").mkdir()
    Image.new("RGB", (24, 16), "teal").save(tmp_path / "shop" / "photo.png")
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path / "shop")
    return Shop(sandbox, claid, tmp_path)
