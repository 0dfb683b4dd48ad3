"""How many requests a picture costs at its bucket: they are billed, and slow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest

from airflow_claid.operators import ImageGenerationBatchOperator, ImageResizeBatchOperator
from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.storage.object_storage import write_whole
from tests.conftest import Connect, s3_connection
from tests.crash.holding_proxy import HoldingProxy
from tests.support.pictures import picture
from tests.unit.operators.conftest import NewTry

LAMPS = [f"Lamp number {count}" for count in range(1, 201)]
PHOTOS = 100
AN_EDIT = 7.2
"""As a generated picture; before, its content is asked for once, and it is read to be sent along."""

A_PICTURE = 4.1
"""Three writes of the receipt and one of the picture; the rest is for the whole batch."""


@pytest.fixture(scope="module")
def unlimited_sandbox() -> Iterator[Sandbox]:
    """A Claid that draws small pictures."""
    with Sandbox(SandboxSettings(quota="100000/1", image_size=16)) as sandbox:
        yield sandbox


class CountingProxy(HoldingProxy):
    """Passes requests on and writes down which they were."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self._seen: list[tuple[str, str]] = []

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        self._seen.append(("LIST" if "list-type" in url.query else handler.command, url.path))
        super()._serve(handler)

    def take(self) -> Counter[str]:
        """Return how many requests of each kind came since this was asked last; those for pictures count apart."""
        seen, self._seen = self._seen, []
        return Counter(f"{method} picture" if path.endswith(".png") else method for method, path in seen)


@pytest.fixture
def bucket(s3: str, s3_endpoint: str, connect: Connect) -> Iterator[tuple[CountingProxy, str]]:
    """A bucket, and what counts the requests to it."""
    proxy = CountingProxy(s3_endpoint)
    conn_id = connect(f"counted_{proxy.port}", **s3_connection(proxy.url))
    yield proxy, f"s3://{conn_id}@{s3.rpartition('@')[2]}"
    proxy.stop()


def test_a_picture_costs_four_requests_and_next_to_none_when_it_is_there(
    bucket: tuple[CountingProxy, str], sandbox: Sandbox, new_try: NewTry
) -> None:
    proxy, address = bucket
    batch = ImageGenerationBatchOperator(task_id="lamps", prompts=LAMPS, output=f"{address}/lamps/")
    assert new_try()(batch)["done"] == len(LAMPS)
    first = proxy.take()
    again = new_try(run_id="tuesday")(batch)
    second = proxy.take()
    assert (again["done"], sandbox.charged()) == (len(LAMPS), len(LAMPS))
    assert first["PUT picture"] == len(LAMPS)
    assert first["HEAD picture"] == 0
    assert first.total() <= A_PICTURE * len(LAMPS)
    assert second.total() - second["LIST"] <= 0.1 * len(LAMPS)


def test_an_edited_picture_of_a_folder_costs_seven_requests_and_next_to_none_when_it_is_there(
    bucket: tuple[CountingProxy, str], sandbox: Sandbox, new_try: NewTry
) -> None:
    proxy, address = bucket
    for number in range(PHOTOS):
        write_whole(f"{address}/photos/{number}.png", picture(16, 16, (number, 90, 120)))
    proxy.take()
    batch = ImageResizeBatchOperator(
        task_id="small", input=f"{address}/photos/", width=8, output=f"{address}/small/", output_format="png"
    )
    assert new_try()(batch)["done"] == PHOTOS
    first = proxy.take()
    again = new_try(run_id="tuesday")(batch)
    second = proxy.take()
    assert (again["reused"], sandbox.charged()) == (PHOTOS, PHOTOS)
    assert first.total() <= AN_EDIT * PHOTOS
    assert second.total() - second["LIST"] <= 0.1 * PHOTOS
