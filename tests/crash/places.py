"""The places of the crash table: how each is addressed, and what lies there in the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests

from tests.support.s3 import S3_KEYS


@dataclass(frozen=True)
class Servers:
    """Where everything is: the real servers, and the proxies that Airflow sees."""

    s3: str
    gcs: str
    s3_proxy: str
    gcs_proxy: str
    once_proxy: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.gcs_proxy, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        gcs = {"is_anonymous": True, "project": "p", "gcs.endpoint": self.gcs_proxy}
        return {
            "aws_shop": _aws(self.s3_proxy),
            "aws_once": _aws(self.once_proxy),
            "google_shop": {"conn_type": "google_cloud_platform", "extra": gcs},
        }


def _aws(endpoint: str) -> dict[str, Any]:
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    return {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}


@dataclass(frozen=True)
class CrashPlace:
    """One row of the table.

    :param title: as the table shows it.
    :param output: of the task; ``{id}`` is the scenario's own folder; ``None`` for temporary links.
    :param covered: whether lost answers can be looked up there.
    :param bucket_proxy: which proxy the receipts pass: ``"s3"``, ``"gcs"``, ``"once"`` or ``None``.
    """

    title: str
    output: str | None
    covered: bool
    bucket_proxy: str | None

    @property
    def downloads(self) -> bool:
        """Whether the task itself brings the pictures there."""
        return not (self.output or "").startswith("storage")

    def pictures(self, servers: Servers, scenario: str) -> list[str]:
        """Return the names of all pictures below the scenario's folder."""
        if self.output is None:
            return []
        if self.output.startswith("file"):
            names = [str(path) for path in (servers.folder / scenario).rglob("*")]
        elif self.output.startswith("gs"):
            answer = requests.get(f"{servers.gcs}/storage/v1/b/pictures/o", params={"prefix": scenario}, timeout=10)
            names = [item["name"] for item in answer.json().get("items", [])]
        else:
            bucket = "connected" if self.covered else self.output.partition("@")[2].partition("/")[0]
            listing = boto3.client("s3", endpoint_url=servers.s3, **S3_KEYS).list_objects_v2(
                Bucket=bucket, Prefix=scenario
            )
            names = [item["Key"] for item in listing.get("Contents", [])]
        return sorted(name for name in names if name.endswith(".png"))


def places(folder: Path) -> list[CrashPlace]:
    """Return the rows of the table."""
    return [
        CrashPlace("temporary", None, covered=False, bucket_proxy=None),
        CrashPlace("connected storage", "storage://shop/{id}/", covered=True, bucket_proxy="s3"),
        CrashPlace(
            "S3 that a connected storage covers", "s3://aws_shop@connected/{id}/", covered=True, bucket_proxy="s3"
        ),
        CrashPlace("S3", "s3://aws_shop@plain/{id}/", covered=False, bucket_proxy="s3"),
        CrashPlace("S3 that refuses overwriting", "s3://aws_once@once/{id}/", covered=False, bucket_proxy="once"),
        CrashPlace("GCS", "gs://google_shop@pictures/{id}/", covered=False, bucket_proxy="gcs"),
        CrashPlace("file", f"file://{folder}/{{id}}/", covered=False, bucket_proxy=None),
    ]
