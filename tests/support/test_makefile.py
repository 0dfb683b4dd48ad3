from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_uv_trusts_the_certificates_of_the_system() -> None:
    rule = "shown:\n\t@echo $$UV_SYSTEM_CERTS\n"
    make = subprocess.run(
        ["make", "--silent", "-f", "Makefile", "-f", "-", "shown"],
        cwd=ROOT, input=rule, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert make.stdout == "1\n"
