"""The package as Airflow and pip see it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.support.airflow import ROOT, Airflow


def test_airflow_lists_the_provider(airflow: Airflow) -> None:
    assert "airflow-claid" in airflow("providers", "list").stdout
    assert "airflow_claid.hooks.claid.ClaidHook" in airflow("providers", "hooks", "--output", "json").stdout


def test_wheel_and_sdist_hold_what_they_should_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    (sdist,) = tmp_path.glob("*.tar.gz")
    in_wheel = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in in_wheel} == {"airflow_claid"}
    assert "airflow_claid/py.typed" in in_wheel
    assert any(name.endswith("entry_points.txt") for name in in_wheel)
    (metadata,) = [zipfile.ZipFile(wheel).read(name).decode() for name in in_wheel if name.endswith("/METADATA")]
    assert metadata.count("Project-URL: ") == 3
    assert "places and receipts (`docs/places-and-receipts.md`)" in metadata
    assert not re.findall(r"\]\((?!https?://|#)[^)]*\)", metadata), "a link that leads nowhere on PyPI"
    assert not [name for name in in_wheel if "__pycache__" in name or "/tests/" in name]
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    top = {name.split("/")[0] for name in names}
    assert {"airflow_claid", "dags_examples", "docs", "scripts", "tests", "README.md", "LICENSE", "CHANGELOG.md"} <= top
    assert not top & {"demo", ".venv", "dist", ".ci"}
