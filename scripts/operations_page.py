"""Write docs/operations.md: each of Claid's operations with its client method, operator, sandbox and example DAG.

Run ``python scripts/operations_page.py`` after adding or removing an operation, an operator or an example.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import yaml

from airflow_claid import operators, sensors
from airflow_claid.client import ClaidClient
from airflow_claid.sandbox.operations import ALL

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "operations.md"
CONTRACT = ROOT / "tests" / "contract" / "openapi.yaml"
EXAMPLES = ROOT / "dags_examples"

_EDITING = ("ImageEditOperator", "ImageUpscaleOperator", "ImageResizeOperator")
_EDITING_BATCHES = ("ImageEditBatchOperator", "ImageUpscaleBatchOperator", "ImageResizeBatchOperator")
_CONNECTING = ("ConnectStorageOperator",)
OPERATORS = {
    "generate_image": ("ImageGenerationOperator", "ImageGenerationBatchOperator"),
    "edit_image": _EDITING_BATCHES,
    "submit_edit": (*_EDITING, *_EDITING_BATCHES),
    "get_edit": (*_EDITING, *_EDITING_BATCHES, "ClaidJobSensor"),
    "submit_batch_edit": ("ImageFolderEditOperator",),
    "get_batch_edit": ("ImageFolderEditOperator", "ClaidJobSensor"),
    "upload_and_edit": (*_EDITING, *_EDITING_BATCHES),
    "submit_ai_edit": ("ImageAIEditOperator", "ImageAIEditBatchOperator"),
    "get_ai_edit": ("ImageAIEditOperator", "ImageAIEditBatchOperator", "ClaidJobSensor"),
    "submit_fashion_model": ("FashionModelOperator", "FashionModelBatchOperator"),
    "get_fashion_model": ("FashionModelOperator", "FashionModelBatchOperator", "ClaidJobSensor"),
    "create_scene": ("BackgroundGenerationOperator", "BackgroundGenerationBatchOperator"),
    "submit_video": ("ImageToVideoOperator", "ImageToVideoBatchOperator"),
    "get_video": ("ImageToVideoOperator", "ImageToVideoBatchOperator", "ClaidJobSensor"),
    "list_storages": (*_CONNECTING, "DisconnectStorageOperator"),
    "create_storage": _CONNECTING,
    "get_storage": _CONNECTING,
    "update_storage": _CONNECTING,
    "delete_storage": ("DisconnectStorageOperator",),
}
WITHOUT_OPERATOR = {
    "list_storage_types": "none: the list never changes what a DAG does",
}
EXAMPLE = {
    "generate_image": "image_generation",
    "edit_image": "catalogue_chain",
    "submit_edit": "background",
    "get_edit": "background",
    "submit_batch_edit": "batch_edit",
    "get_batch_edit": "batch_edit",
    "upload_and_edit": "image_editing",
    "submit_ai_edit": "ai_edit",
    "get_ai_edit": "waiting",
    "submit_fashion_model": "fashion_models",
    "get_fashion_model": "fashion_models",
    "create_scene": "background",
    "submit_video": "image_to_video",
    "get_video": "image_to_video",
    **dict.fromkeys(
        ("list_storages", "create_storage", "get_storage", "update_storage", "delete_storage"), "connected_storage"
    ),
}
"""A DAG of dags_examples/ that uses the operation; tests/integration/test_examples.py checks this in the ledger."""

_OPENING = """# Operations

All operations of Claid's API, and where to find each: as a method of [`ClaidClient`](client.md), in an operator or
sensor, in the [sandbox](sandbox.md), and in an example DAG of `dags_examples/`. `scripts/operations_page.py` writes the
table. Tests compare it with the contract, the client and the sandbox, and with the requests that the examples send.

| Operation | Client | Operator | Sandbox | Example DAG |
| --- | --- | --- | --- | --- |
"""


def contract_operations() -> list[str]:
    """Return the operation ids of the contract, in its order."""
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    return [
        entry["operationId"]
        for methods in contract["paths"].values()
        for entry in methods.values()
        if isinstance(entry, dict) and "operationId" in entry
    ]


def row(operation: str) -> str:
    """Return the row of an operation.

    :raises LookupError: if an operator or example that it names does not exist.
    """
    method = inspect.getattr_static(ClaidClient, operation)
    served = next(one for one in ALL if one.name == operation)
    known = {*operators.__all__, *sensors.__all__}
    names = OPERATORS.get(operation, ())
    if not known.issuperset(names):
        raise LookupError(f"{operation}: there is no {', '.join(set(names) - known)}")
    example = EXAMPLE.get(operation)
    if example is not None and not (EXAMPLES / f"{example}.py").exists():
        raise LookupError(f"{operation}: there is no example {example}")
    cells = (
        f"`{operation}`",
        f"`{method.__name__}`",
        ", ".join(f"`{name}`" for name in names) or WITHOUT_OPERATOR[operation],
        f"`{served.method} /v1{served.path.replace('{number}', 'ID')}`",
        f"`{example}`" if example else "none, as there is no operator",
    )
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """Return the whole page."""
    return _OPENING + "\n".join(row(operation) for operation in contract_operations()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
