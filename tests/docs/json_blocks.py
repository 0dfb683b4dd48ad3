"""JSON blocks: each is what it looks like (a connection, a receipt, …), read by what reads it in earnest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from airflow_claid.fulfilment.bill import sums_in
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.hooks.connection_form import CONN_FIELDS
from airflow_claid.operators import ImageGenerationOperator
from airflow_claid.sandbox.ledger import Entry
from tests.conftest import Connect
from tests.docs.conftest import Scene
from tests.unit.operators.conftest import TaskInstance

S3_ACTIONS = {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}


def actions(policy: dict[str, Any]) -> set[str]:
    """Return all actions that a policy of S3 allows."""
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def check_json(text: str, scene: Scene, connect: Connect) -> None:
    facts = json.loads(text)
    if isinstance(facts, list):
        _check_images(facts, scene.folder)
    elif "Statement" in facts:
        assert actions(facts) <= S3_ACTIONS, "test_bucket_permissions tries the policy"
    elif "conn_type" in facts:
        check_connection(Connection(conn_id="page", **_with_extra_as_text(facts)), connect)
    elif "fingerprint" in facts:
        assert Receipt.from_json(facts).to_json() == facts
    elif "sequence" in facts:
        assert Entry(**facts).to_json() == facts
    elif "days" in facts:
        _check_bill(facts, scene.folder)
    else:
        raise AssertionError(f"nobody knows what this JSON is: {text}")


def check_connection(connection: Connection, connect: Connect) -> None:
    """Make a client of a connection, as operators do, and read every extra."""
    assert connection.conn_type == "claid"
    assert connection.extra_dejson.keys() <= CONN_FIELDS.keys()
    fields = {"conn_type": connection.conn_type, "password": connection.password, "host": connection.host}
    hook = ClaidHook(connect("page", **fields, extra=connection.extra_dejson))
    assert hook.client.base_url.endswith("/v1")
    assert hook.downloader.rules.hosts
    assert hook.storages is not None


def _with_extra_as_text(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name == "extra" else value for name, value in facts.items()}


def _check_bill(bill: dict[str, Any], folder: Path) -> None:
    """Hold the bill of a page against one that an operator really pushes."""
    ti = TaskInstance()
    ImageGenerationOperator(task_id="sofa", prompt="A sofa", output=f"file://{folder}/bill/").execute({"ti": ti})  # type: ignore[arg-type]
    assert list(bill) == list(ti.pushed["bill"])
    assert len(list(sums_in(bill))) == len(bill["days"])
    assert {name for day in bill["days"] for name in day} > ti.pushed["bill"]["days"][0].keys()


def _check_images(images: list[dict[str, Any]], folder: Path) -> None:
    """Hold the images of a page against those that an operator really pushes."""
    ti = TaskInstance()
    operator = ImageGenerationOperator(
        task_id="sofa", prompt=images[0]["prompt"], name=images[0]["name"], output=f"file://{folder}/json/"
    )
    operator.execute({"ti": ti})  # type: ignore[arg-type]
    (pushed,) = ti.pushed["images"]
    for image in images:
        assert list(image) == list(pushed)
        assert {name: type(value) for name, value in image.items()} == {
            name: type(value) for name, value in pushed.items()
        }
