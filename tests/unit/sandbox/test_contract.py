from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.settings import all_quotas
from tests.conftest import SMALL
from tests.support.sandbox_client import png

pytestmark = pytest.mark.commands

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
EXAMPLES = 30
SECONDS = 400
REACHED = {
    "generate_image",
    "edit_image",
    "submit_edit",
    "submit_batch_edit",
    "submit_ai_edit",
    "submit_fashion_model",
    "submit_video",
    "create_scene",
    "create_storage",
    "list_storages",
    "list_storage_types",
}


@pytest.mark.skipif(sys.platform == "win32", reason="schemathesis is run as a command")
def test_every_operation_keeps_the_contract_for_valid_and_invalid_requests(tmp_path: Path) -> None:
    """All of schemathesis' checks, over the whole contract."""
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "photo.png").write_bytes(png())
    settings = SandboxSettings(**all_quotas(""), job_seconds=0.02, image_size=SMALL)
    with Sandbox(settings) as sandbox:
        sandbox.connect_storage("spare", bucket="b")
        sandbox.connect_storage("shop", bucket="b", where=tmp_path / "bucket")
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(HERE / "schemathesis.toml"),
            "run",
            str(ROOT / "tests" / "contract" / "openapi.yaml"),
            f"--url={sandbox.url}",
            f"--max-examples={EXAMPLES}",
            "--seed=77",
            "--workers=2",
            "--no-color",
        ]
        environment = {**os.environ, "CLAID_KEY": sandbox.api_key, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
        answered = {entry.operation for entry in sandbox.ledger() if entry.status == 200}
    assert answered >= REACHED, "an operation was only ever refused"
