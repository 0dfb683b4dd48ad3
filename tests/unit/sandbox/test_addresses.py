"""The addresses by which a sandbox is reached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.client.quota.quota import Quota
from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.support.sandbox_client import Client, png


@pytest.fixture(scope="module", params=["::1", "[::1]", "::"])
def ipv6_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(host=request.param, job_seconds=0.01)) as sandbox:
        yield sandbox


def test_an_ipv6_address_is_written_in_brackets(ipv6_sandbox: Sandbox) -> None:
    assert ipv6_sandbox.url == f"http://[::1]:{ipv6_sandbox.url.rpartition(':')[2]}"
    assert Client(ipv6_sandbox).picture_address().startswith(f"{ipv6_sandbox.url}/tmp/")


def test_a_client_generates_edits_and_downloads_over_ipv6(ipv6_sandbox: Sandbox) -> None:
    with ClaidClient(ipv6_sandbox.api_key, ipv6_sandbox.url, quota=Quota(())) as claid:
        picture = str(claid.generate_image("a lamp").output[0].tmp_url)
        with Downloader(DownloadRules(claid.base_url)).fetched(picture) as content:
            assert content.startswith(b"\x89PNG")
        job = claid.submit_edit(picture, {"resizing": {"width": 100, "fit": "bounds"}})
        assert claid.get_edit(job.id).id == job.id
        assert claid.upload_and_edit(png(), {}, filename="photo.png").output.width == 400
