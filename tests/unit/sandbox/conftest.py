from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.settings import all_quotas
from tests.conftest import SMALL
from tests.support.sandbox_client import Client, png


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(**all_quotas(""), job_seconds=0.05, image_size=SMALL)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """A sandbox without limits, as new for each test."""
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox)


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path) -> Path:
    """The folder behind ``storage://shop/``, with the prefix ``catalogue``; returns ``bucket/catalogue``."""
    sandbox.connect_storage("shop", bucket="pictures", path="catalogue", where=tmp_path / "bucket")
    return tmp_path / "bucket" / "catalogue"


@pytest.fixture
def address(folder: Path) -> str:
    """A picture of 400x300 pixels in a connected storage."""
    folder.mkdir(parents=True)
    (folder / "photo.png").write_bytes(png())
    return "storage://shop/photo.png"
