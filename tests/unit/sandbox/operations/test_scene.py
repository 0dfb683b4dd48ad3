from __future__ import annotations

from typing import Any

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, picture


def test_a_scene_is_made_four_times_unless_told_and_answered_at_once(
    client: Client, sandbox: Sandbox, address: str
) -> None:
    body: dict[str, Any] = {"object": {"image_url": address}, "scene": {"prompt": "on a beach"}}
    data = client.call("POST", "/scene/create", json=body).json()["data"]
    assert len(data["output"]) == 4
    assert sandbox.charged() == 4
    body["scene"] = {"prompt": {"generate": True}, "aspect_ratio": "16:9"}
    body["output"] = {"number_of_images": 1, "format": {"type": "webp"}}
    data = client.call("POST", "/scene/create", json=body).json()["data"]
    assert picture(data["output"][0]["tmp_url"]).format == "WEBP"
    assert sandbox.charged() == 5.5
