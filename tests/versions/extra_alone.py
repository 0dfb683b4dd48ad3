"""Import every module of the installed wheel, parse the examples, and use what one extra is for.

``extra_alone.py EXTRA``; the environment holds the wheel with this extra and no other.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"
NEEDS = {"airflow_claid.client.quota.redis_windows": "redis", "airflow_claid.sandbox": "sandbox"}
"""The modules that cannot be imported without an extra, and those below them."""


def import_all(extra: str) -> list[str]:
    """Import all modules that this extra suffices for; return what went wrong."""
    import airflow_claid

    if "site-packages" not in str(airflow_claid.__file__):
        return [f"airflow_claid is not the installed one but {airflow_claid.__file__}"]
    wrong = []
    for module in pkgutil.walk_packages(airflow_claid.__path__, "airflow_claid.", onerror=lambda name: None):
        if module.name.endswith("__main__"):
            continue
        needed = next((extra for name, extra in NEEDS.items() if f"{module.name}.".startswith(f"{name}.")), extra)
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            if needed == extra:
                wrong.append(f"{module.name}: {error!r}")
    return wrong


def parse_examples() -> list[str]:
    """Load each example as Airflow does; return what went wrong."""
    from airflow.sdk.definitions.dag import DAG

    wrong = []
    for file in sorted(EXAMPLES.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"example_{file.stem}", file)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            assert isinstance(getattr(module, file.stem)(), DAG)
        except Exception as error:  # noqa: BLE001 - each is told
            wrong.append(f"{file.name}: {error!r}")
    return wrong


def use_amazon() -> None:
    from airflow.sdk import ObjectStoragePath

    assert type(ObjectStoragePath("s3://shop/a.png").fs).__name__ == "S3FileSystem"


def use_google() -> None:
    from airflow.providers.google.cloud.hooks.gcs import GCSHook
    from gcsfs import GCSFileSystem

    assert GCSHook
    assert GCSFileSystem


def use_parquet() -> None:
    import pyarrow as pa
    from pyarrow import parquet

    from airflow_claid.batch import read_rows

    with tempfile.TemporaryDirectory() as folder:
        parquet.write_table(pa.table({"sku": ["SOFA"]}), f"{folder}/products.parquet")
        assert [row.values for row in read_rows(f"file://{folder}/products.parquet")] == [{"sku": "SOFA"}]


def use_redis() -> None:
    importlib.import_module("airflow_claid.client.quota.redis_windows")


def use_review() -> None:
    from airflow_claid.version_compat import hitl_operator

    assert hitl_operator().__name__ == "HITLOperator"


def use_sandbox() -> None:
    from airflow_claid.client import ClaidClient
    from airflow_claid.sandbox import Sandbox

    with Sandbox() as sandbox, ClaidClient(sandbox.api_key, sandbox.url) as claid:
        assert claid.generate_image("A lamp")


def main(extra: str) -> int:
    """Print what is wrong; the exit status tells whether anything is."""
    wrong = import_all(extra) + parse_examples()
    if extra != "none":
        globals()[f"use_{extra}"]()
    print("\n".join(wrong) or f"{extra}: every module imports, {len(list(EXAMPLES.glob('*.py')))} examples parse")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
