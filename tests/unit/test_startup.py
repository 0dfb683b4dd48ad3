"""What a DAG file loads when it is parsed: no HTTP library, no Pillow, no cloud, and of ours what it needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_claid import operators, sensors

SDK = "import airflow.sdk.bases.operator, airflow.sdk.bases.sensor, airflow.sdk.exceptions, airflow.sdk.io"
HEAVY = (
    "PIL",
    "aiohttp",
    "airflow.models",
    "airflow.providers",
    "airflow.triggers",
    "asgiref",
    "boto3",
    "botocore",
    "chardet",
    "charset_normalizer",
    "fastapi",
    "gcsfs",
    "google",
    "httpx",
    "limits",
    "numpy",
    "pandas",
    "pyarrow",
    "redis",
    "requests",
    "s3fs",
    "socks",
    "sqlite3",
    "urllib3",
    "uvicorn",
)
OF_ANOTHER_PROVIDER = "ImageReviewOperator"
MOST_OF_THE_PACKAGE = 60
MOST_OF_AN_OPERATOR = {"ImageGenerationOperator": 130, "ImageEditOperator": 130, "ImageGenerationBatchOperator": 180}
"""Nearly all of them small modules of our own."""


def modules_of(statement: str) -> list[str]:
    """Return what a statement loads beside Airflow's SDK with its operators; it opens no socket."""
    script = (
        f"import json, socket, sys\n{SDK}\nbefore = set(sys.modules)\n"
        "def refuse(*arguments): raise AssertionError('opened a socket')\n"
        f"socket.socket.connect = refuse\n{statement}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


def heavy(loaded: list[str]) -> list[str]:
    return [name for name in loaded if any(f"{name}.".startswith(f"{one}.") for one in HEAVY)]


def test_the_package_of_operators_loads_few_modules() -> None:
    assert len(modules_of("import airflow_claid.operators")) <= MOST_OF_THE_PACKAGE


@pytest.mark.parametrize("name", MOST_OF_AN_OPERATOR)
def test_an_operator_loads_what_it_needs(name: str) -> None:
    loaded = modules_of(f"from airflow_claid.operators import {name}")
    assert len(loaded) <= MOST_OF_AN_OPERATOR[name]
    others = {"airflow_claid.operators.video", "airflow_claid.client.models.video", "airflow_claid.client.client"}
    assert not others.intersection(loaded)


def test_all_operators_together_load_nothing_heavy() -> None:
    names = [name for name in operators.__all__ if name != OF_ANOTHER_PROVIDER]
    assert heavy(modules_of(f"from airflow_claid.operators import {', '.join(names)}")) == []


def test_sensors_and_decorators_load_no_http_library() -> None:
    loaded = modules_of(
        f"from airflow_claid.sensors import {', '.join(sensors.__all__)}\nimport airflow_claid.decorators"
    )
    assert not {"requests", "urllib3", "PIL", "charset_normalizer"}.intersection(loaded)


@pytest.mark.parametrize("package", ["airflow_claid.operators", "airflow_claid.client"])
def test_what_a_package_offers_can_be_imported_and_nothing_else(package: str) -> None:
    module = __import__(package, fromlist=["__all__"])
    for name in module.__all__:
        offered = getattr(module, name)
        assert isinstance(offered, str) or offered.__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing
