"""A shop to fulfil orders in."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.connected import ConnectedStorages
from tests.support.shop import Shop


@pytest.fixture
def shop(sandbox: Sandbox, claid: ClaidClient, tmp_path: Path) -> Shop:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    return Shop(sandbox, claid, tmp_path, ConnectedStorages(claid, {"shop": f"file://{tmp_path}"}))
