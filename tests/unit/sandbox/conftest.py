from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.support.sandbox_client import Client, png

NO_LIMIT = {"quota": "", "creative_quota": "", "video_quota": ""}


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(**NO_LIMIT, job_seconds=0.05)) as sandbox:
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


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as opened:
            if opened.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not listen on {port}")


def serve(arguments: list[str], port: int) -> Iterator[str]:
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A moto server."""
    port = free_port()
    yield from serve([sys.executable, "-m", "moto.server", "-p", str(port)], port)


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """A Google Cloud Storage emulator with the bucket ``pictures``."""
    port = free_port()
    command = Path(sys.executable).with_name("gcp-storage-emulator")
    yield from serve([str(command), "start", f"--port={port}", "--in-memory", "--default-bucket=pictures"], port)
