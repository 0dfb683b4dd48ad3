"""A real Airflow that runs one command after the other, and a Claid for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.conftest import SMALL
from tests.support.airflow import Airflow, migrated_airflow

LONGEST = ("test_paid_once", "test_product_catalogue", "test_bill", "test_examples", "test_assets", "test_spend_limit")
"""These files take longest. They begin first, so that none of them runs alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, for ``--no-loadscope-reorder``."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONGEST)))


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
