"""The S3 policy of the docs is what the operators need: tried with an S3 that checks each request against it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.docs.json_blocks import actions
from tests.docs.pages import ROOT, Page
from tests.support.processes import free_port, served
from tests.unit.operators.conftest import TaskInstance

BUCKET = "shop-pictures"
SETTING_UP = 4
"""Requests that moto does not check: those that make the bucket, the user, its policy and its key."""


def policy_of_the_docs() -> dict[str, Any]:
    page = Page(ROOT / "docs" / "bucket-permissions.md")
    (policy,) = (json.loads(block.text) for block in page.blocks if block.kind == "json")
    return policy


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    statements = [{**one, "Action": [name for name in one["Action"] if name != action]} for one in policy["Statement"]]
    return {**policy, "Statement": [one for one in statements if one["Action"]]}


@contextmanager
def checked_bucket(policy: dict[str, Any], connect: Connect) -> Iterator[str]:
    """Serve the bucket, and yield a folder in it by the connection of a user who may do what a policy says."""
    port = free_port()
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(SETTING_UP)}
    with served([sys.executable, "-m", "moto.server", "-p", str(port)], port, env=environment) as url:
        root = {"endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        boto3.client("s3", **root).create_bucket(Bucket=BUCKET)
        iam = boto3.client("iam", **root)
        iam.create_user(UserName="airflow")
        iam.put_user_policy(UserName="airflow", PolicyName="docs", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="airflow")["AccessKey"]
        extra = {"endpoint_url": url, "region_name": "us-east-1"}
        user = {"login": key["AccessKeyId"], "password": key["SecretAccessKey"]}
        conn_id = connect(f"aws_{port}", conn_type="aws", **user, extra=extra)
        yield f"s3://{conn_id}@{BUCKET}/spring/"


@pytest.fixture(scope="module")
def bucket_rights() -> ModuleType:
    file = ROOT / "dags_examples" / "bucket_rights.py"
    spec = importlib.util.spec_from_file_location("bucket_rights", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_policy_is_enough(connect: Connect, sandbox: Sandbox, bucket_rights: ModuleType) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    with checked_bucket(policy_of_the_docs(), connect) as folder:
        assert set(bucket_rights.rights_in(folder).values()) == {""}
        one = ImageGenerationOperator(task_id="one", prompt="A linen sofa", output=folder)
        assert one.execute({"ti": TaskInstance()})  # type: ignore[arg-type]
        many = ImageGenerationBatchOperator(task_id="many", prompts=["A lamp", "A rug"], output=folder)
        for spent in (2, 0):
            assert many.execute({"ti": TaskInstance()})["credits"] == spent  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", sorted(actions(policy_of_the_docs()) - {"s3:AbortMultipartUpload"}))
def test_the_example_names_what_is_missing_and_nothing_is_paid_without_what_is_needed(
    missing: str, connect: Connect, sandbox: Sandbox, bucket_rights: ModuleType
) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    told = {"s3:ListBucket": {"list"}, "s3:GetObject": {"read"}, "s3:DeleteObject": set()}  # moto lets many be deleted
    with checked_bucket(without(policy_of_the_docs(), missing), connect) as folder:
        refused = {name for name, why in bucket_rights.rights_in(folder).items() if why}
        assert refused >= told.get(missing, {"create", "overwrite"})
        one = ImageGenerationOperator(task_id="one", prompt="A linen sofa", output=folder)
        if refused <= set(bucket_rights.WITHOUT):
            assert one.execute({"ti": TaskInstance()})  # type: ignore[arg-type]
            return
        with pytest.raises(Exception, match=r"(?i)denied|forbidden|refus|list"):
            one.execute({"ti": TaskInstance()})  # type: ignore[arg-type]
        assert sandbox.charged() == 0


def test_the_example_runs_as_a_dag(bucket_rights: ModuleType, tmp_path: Path) -> None:
    rights: Callable[[str], dict[str, str]] = bucket_rights.rights_in
    assert set(rights(f"file://{tmp_path}/new/").values()) == {""}
    assert not list(tmp_path.rglob("*.txt"))
