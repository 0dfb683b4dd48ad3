from __future__ import annotations

from pathlib import Path

import pytest

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, png


def test_a_batch_takes_a_list_and_tells_what_failed(client: Client, sandbox: Sandbox, address: str) -> None:
    body = {
        "input": [address, "storage://shop/none.png"],
        "operations": {"resizing": {"width": 40, "height": 30}},
        "output": "storage://shop/out/",
    }
    done = client.run("/image/edit/batch", body)
    assert done["status"] == "DONE"
    (pair,) = done["results"]
    assert pair["output_object"]["object_key"] == "catalogue/out/photo.jpeg"
    assert "none.png" in done["errors"][0]["error"]
    assert sandbox.charged() == 2


@pytest.mark.parametrize(("recursive", "count"), [(False, 2), (True, 3)])
def test_a_batch_takes_a_folder_with_or_without_sub_folders(
    client: Client, sandbox: Sandbox, folder: Path, recursive: bool, count: int
) -> None:
    for name in ("in/one.png", "in/two.png", "in/deep/three.png", "other.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png())
    source = {"source": "storage://shop/in/", "recursive": recursive}
    done = client.run("/image/edit/batch", {"input": source, "operations": {}, "output": "storage://shop/out/"})
    assert len(done["results"]) == count
    assert sandbox.charged() == count
    assert sandbox.ledger("submit_batch_edit")[0].number_of_images == count
