"""Servers that tests share, all real HTTP on loopback; and an Airflow that knows nothing of the developer's own."""

from __future__ import annotations

import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

_AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="airflow-claid-tests-")
os.environ.setdefault("AIRFLOW_HOME", _AIRFLOW_HOME.name)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

gc.disable()  # until all is loaded, see pytest_collection_finish

import pytest  # noqa: E402
from airflow.sdk._shared.secrets_masker import _secrets_masker  # noqa: E402
from hypothesis import settings  # noqa: E402

from airflow_claid.batch.terms import BatchTerms  # noqa: E402
from airflow_claid.client import ClaidClient  # noqa: E402
from airflow_claid.client.quota.quota import Quota  # noqa: E402
from airflow_claid.delivery import downloads  # noqa: E402
from airflow_claid.operators.bases import batch_parameters  # noqa: E402
from airflow_claid.sandbox import Sandbox, SandboxSettings  # noqa: E402
from airflow_claid.sandbox.settings import all_quotas  # noqa: E402
from tests.support.gcs import gcs_server  # noqa: E402
from tests.support.postgresql import postgresql_server  # noqa: E402
from tests.support.redis import redis_server  # noqa: E402
from tests.support.s3 import S3_KEYS, s3_server  # noqa: E402
from tests.support.scripted_server import ScriptedServer  # noqa: E402
from tests.support.spending import Limited, limit_of_ten  # noqa: E402

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

GCS_BUCKET = "pictures"
SMALL = 64
"""The side of a picture where its size is nothing to a test: Claid's own takes ten times as long to draw and read."""
PLENTY = "100000/1"
"""A quota of requests per seconds."""

Connect = Callable[..., str]


class _AllOperations(set[str]):
    """A set that holds the name of every operation."""

    def __contains__(self, name: object) -> bool:
        return True


def pytest_collection_finish() -> None:
    """Have the garbage collector begin, and pass over what was loaded so far: Airflow and all tests."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_power_cuts() -> Iterator[None]:
    """Leave it to the system when a file goes to the disk: what a test kills is a process, and never the machine."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True)
def proven_answers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the answers of all operations for proven, but for tests that are marked ``unproven``."""
    unproven = request.node.get_closest_marker("unproven") is not None
    monkeypatch.setattr("airflow_claid.fulfilment.proof._proven", set() if unproven else _AllOperations())


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> None:
    """Have Airflow forget all secrets that it masks: at each new one it compiles them into one pattern anew."""
    _secrets_masker().reset_masker()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what failed tried again at once, a download and an item of a batch, and a job's first polls sent early."""
    monkeypatch.setattr(downloads._attempts, "sleep", lambda _: None)
    monkeypatch.setattr(batch_parameters, "BatchTerms", partial(BatchTerms, pause=0.02))
    monkeypatch.setattr("airflow_claid.waiting.jobs._FIRST_POLL", 0.002)


@pytest.fixture(scope="session")
def unlimited_sandbox() -> Iterator[Sandbox]:
    """A Claid whose quotas nobody uses up, and that draws small pictures.

    They are announced: without a word of Claid's, clients would keep to its published default, which all tests share.
    """
    with Sandbox(SandboxSettings(**all_quotas(PLENTY), job_seconds=0.05, image_size=SMALL)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(unlimited_sandbox: Sandbox) -> Sandbox:
    """A Claid with more than enough of each quota, as new for each test."""
    unlimited_sandbox.reset()
    return unlimited_sandbox


@pytest.fixture
def full_size(sandbox: Sandbox) -> None:
    """Have the sandbox generate pictures as large as Claid's."""
    sandbox.change(image_size=SandboxSettings.image_size)


@pytest.fixture
def claid(sandbox: Sandbox) -> Iterator[ClaidClient]:
    """A client of the sandbox that paces nothing."""
    with ClaidClient(sandbox.api_key, sandbox.url, quota=Quota(())) as client:
        yield client


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server that gives the answers it is told to, byte for byte, and writes down what it was sent."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes an Airflow connection: ``connect("claid_default", conn_type="claid", password="…")``."""

    def make(conn_id: str, **fields: Any) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        return conn_id

    return make


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    with postgresql_server() as address:
        yield address


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a Redis that a busy machine may keep from answering for longer than a request should wait."""
    with redis_server() as url, pytest.MonkeyPatch.context() as patience:
        patience.setattr("airflow_claid.client.quota.redis_windows._TIMEOUT", 30.0)
        patience.setattr("airflow_claid.client.spending.redis_counts._TIMEOUT", 30.0)
        yield url


@pytest.fixture
def limited(redis_url: str) -> Iterator[Limited]:
    """A spend limit of ten credits a day."""
    with limit_of_ten(redis_url) as limited:
        yield limited


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server of S3; boto reads its large description of the service once, not in each test."""
    from botocore.loaders import JSONFileLoader

    load_once = cache(JSONFileLoader().load_file)
    with s3_server() as address, pytest.MonkeyPatch.context() as patched:
        patched.setattr(JSONFileLoader, "load_file", lambda self, file_path: load_once(file_path))
        yield address


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """A Google Cloud Storage emulator with the bucket ``pictures``."""
    with gcs_server(GCS_BUCKET) as address:
        yield address


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Any:
    """A client of boto's for the server of S3."""
    import boto3

    return boto3.client("s3", endpoint_url=s3_endpoint, **S3_KEYS)


@pytest.fixture
def s3(s3_client: Any, s3_endpoint: str, connect: Connect) -> str:
    """The address of a new bucket, reached by the Airflow connection ``moto``: ``s3://moto@BUCKET``."""
    bucket = f"shop-{time.monotonic_ns()}"
    s3_client.create_bucket(Bucket=bucket)
    connect("moto", **s3_connection(s3_endpoint))
    return f"s3://moto@{bucket}"


@pytest.fixture
def gcs(gcs_endpoint: str, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a folder of its own in the emulator's bucket: ``gs://emulator@pictures/FOLDER``."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_endpoint)
    extra = {"is_anonymous": True, "project": "p", "gcs.endpoint": gcs_endpoint}
    connect("emulator", conn_type="google_cloud_platform", extra=extra)
    return f"gs://emulator@{GCS_BUCKET}/{time.monotonic_ns()}"


def s3_connection(endpoint: str) -> dict[str, Any]:
    """Fields of an Airflow connection to S3 at an endpoint of one's own."""
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    return {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}
