"""What the pages talk about, all of it here: a Claid, an Airflow connected to it, a bucket, a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.conftest import Connect, s3_connection
from tests.support.airflow import Airflow, migrated_airflow

CLAID = "http://127.0.0.1:8765"
FOLDER = "/tmp/shop_pictures"
BUCKET = "shop-pictures"


@dataclass
class Scene:
    """The world of one page. The names that pages use are changed into those of this test."""

    sandbox: Sandbox
    airflow: Airflow
    folder: Path
    s3_endpoint: str

    def staged(self, text: str) -> str:
        """Put this test's Claid and folder into a text."""
        return re.sub(rf"{re.escape(FOLDER)}\b", str(self.folder), text.replace(CLAID, self.sandbox.url))


@pytest.fixture(scope="session")
def warm_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    with migrated_airflow(tmp_path_factory.mktemp("airflow")) as airflow:
        yield airflow


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    s3_client: Any,
    s3_endpoint: str,
    redis_url: str,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    s3_client.create_bucket(Bucket=BUCKET)
    with Sandbox(SandboxSettings(quota="6000/60,100/1", job_seconds=0.05)) as sandbox:
        sandbox.connect_storage(
            "shop", bucket=BUCKET, where=s3_endpoint, access_key="test-key", secret_access_key="test-secret"
        )
        connections = {
            "claid_default": {
                "conn_type": "claid",
                "password": sandbox.api_key,
                "host": sandbox.url,
                "extra": {"storages": {"shop": "aws_default"}, "quota_store": redis_url},
            },
            "aws_default": s3_connection(s3_endpoint),
        }
        for conn_id, fields in connections.items():
            connect(conn_id, **fields)
        dags = tmp_path / "dags"
        dags.mkdir()
        monkeypatch.chdir(tmp_path)
        own = json.loads(json.dumps(connections))
        is_marked = request.node.get_closest_marker("commands") is not None
        loaded = request.getfixturevalue("warm_airflow") if is_marked else Airflow(tmp_path)
        airflow = replace(loaded, dags=dags, connections=own, settings={})
        yield Scene(sandbox, airflow, tmp_path / "shop_pictures", s3_endpoint)
