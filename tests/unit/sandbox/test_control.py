"""The sandbox's own addresses, for those who cannot hold its Python object."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from airflow_claid.sandbox import Sandbox
from airflow_claid.sandbox.settings import all_quotas
from tests.support.sandbox_client import Client


def send(sandbox: Sandbox, method: str, path: str, **body: Any) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/sandbox{path}", json=body, timeout=10)


def test_settings_change_over_http(client: Client, sandbox: Sandbox) -> None:
    changed = send(sandbox, "PUT", "/settings", quota="1/60", latency="0.01+-0.005", blocked_words=["lamp"], ttl=10)
    assert changed.json() == {"changed": ["blocked_words", "latency", "quota", "ttl"]}
    assert [client.generate().status_code for _ in range(2)] == [200, 429]
    assert sandbox.service.settings.latency.spread == 0.005
    assert sandbox.service.settings.blocked_words == ("lamp",)


def test_each_quota_changes_over_http(sandbox: Sandbox) -> None:
    assert send(sandbox, "PUT", "/settings", **all_quotas("7/1")).ok
    assert sandbox.service.settings == replace(sandbox.service.settings, **all_quotas("7/1"))


@pytest.mark.parametrize("body", [{"quota": "many"}, {"latency": "soon"}, {"colour": "red"}, {"ttl": "x"}])
def test_settings_that_make_no_sense_change_nothing(sandbox: Sandbox, body: dict[str, Any]) -> None:
    before = sandbox.service.settings
    assert send(sandbox, "PUT", "/settings", **body).status_code == 422
    assert sandbox.service.settings == before


def test_a_storage_with_its_bucket_is_connected_over_http(client: Client, sandbox: Sandbox, tmp_path: Path) -> None:
    assert send(sandbox, "POST", "/storages", name="shop", bucket="b", where=str(tmp_path)).ok
    assert client.generate(output="storage://shop/a/").ok
    assert len(list((tmp_path / "a").iterdir())) == 4
    assert send(sandbox, "POST", "/storages", name="x", bucket="b", type="ftp").status_code == 422
    assert send(sandbox, "POST", "/storages", name="shop", bucket="b").status_code == 400


def test_a_key_is_added_over_http(sandbox: Sandbox) -> None:
    assert send(sandbox, "POST", "/keys", key="new", scopes=["storage"], credits=3).json()["credits"] == 3
    assert Client(sandbox, "new").call("GET", "/storage/storages").status_code == 200
    assert send(sandbox, "POST", "/keys", key="new", scopes=["all"]).status_code == 422


def test_time_passes_on_request(client: Client, sandbox: Sandbox) -> None:
    address = client.picture_address()
    assert send(sandbox, "POST", "/advance", seconds=90_000).ok
    assert requests.get(address, timeout=10).status_code == 403


def test_the_pages_thumbnails_show_pictures_wherever_they_are(client: Client, sandbox: Sandbox, folder: Path) -> None:
    client.generate("here")
    client.generate("there", output="storage://shop/a/")
    for sequence in (1, 2):
        answer = requests.get(f"{sandbox.url}/sandbox/pictures/{sequence}/0", timeout=10)
        assert Image.open(io.BytesIO(answer.content)).size == (320, 320)
    assert requests.get(f"{sandbox.url}/sandbox/pictures/2/4", timeout=10).status_code == 404
    assert requests.get(f"{sandbox.url}/sandbox/pictures/3/0", timeout=10).status_code == 404
    assert requests.get(sandbox.url, timeout=10).text.count("<img") == 8
