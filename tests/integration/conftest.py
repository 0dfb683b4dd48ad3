"""A real Airflow that runs one command after the other, and a Claid for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.conftest import SMALL
from tests.support.airflow import Airflow, migrated_airflow


@pytest.fixture(scope="session")
def warm_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    with migrated_airflow(tmp_path_factory.mktemp("airflow")) as airflow:
        yield airflow


@pytest.fixture
def airflow(warm_airflow: Airflow, own_sandbox: Sandbox) -> Airflow:
    """An Airflow that is connected to a sandbox."""
    claid = {"conn_type": "claid", "password": own_sandbox.api_key, "host": own_sandbox.url}
    return replace(warm_airflow, connections={"claid_default": claid}, settings={})


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """A Claid of the test's own, that draws small pictures."""
    with Sandbox(SandboxSettings(quota="6000/60,100/1", job_seconds=0.1, image_size=SMALL)) as sandbox:
        yield sandbox
