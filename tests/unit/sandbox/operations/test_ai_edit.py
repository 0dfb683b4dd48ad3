from __future__ import annotations

import pytest

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, picture


def test_an_ai_edit_costs_two_credits_an_image_and_keeps_the_size(
    client: Client, sandbox: Sandbox, address: str
) -> None:
    body = {
        "input": address,
        "options": {"prompt": "make it snow"},
        "output": {"number_of_images": 3, "format": "jpeg"},
    }
    done = client.run("/image/ai-edit", body)
    assert done["status"] == "DONE"
    assert [image["width"] for image in done["result"]["output_objects"]] == [400] * 3
    assert picture(done["result"]["output_objects"][2]["tmp_url"]).format == "JPEG"
    assert done["result"]["input_object"]["height"] == 300
    assert sandbox.charged() == 6


@pytest.mark.usefixtures("full_size")
def test_options_of_model_v1_need_model_v1(client: Client, address: str) -> None:
    options = {"prompt": "make it snow", "aspect_ratio": "16:9"}
    refused = client.call("POST", "/image/ai-edit", json={"input": address, "options": options})
    assert refused.status_code == 422
    done = client.run("/image/ai-edit", {"input": address, "options": {**options, "model": "v1"}})
    image = done["result"]["output_objects"][0]
    assert abs(image["width"] / image["height"] - 16 / 9) < 0.02


def test_a_blocked_ai_edit_is_black_and_charged(client: Client, sandbox: Sandbox, address: str) -> None:
    done = client.run("/image/ai-edit", {"input": address, "options": {"prompt": "gore everywhere"}})
    image = picture(done["result"]["output_objects"][0]["tmp_url"]).convert("RGB")
    assert image.getextrema() == ((0, 0), (0, 0), (0, 0))
    assert sandbox.charged() == 2


def test_ai_edits_have_a_quota_of_their_own(client: Client, sandbox: Sandbox, address: str) -> None:
    sandbox.change(creative_quota="60/60,1/1")
    body = {"input": address, "options": {"prompt": "make it snow"}}
    answers = [client.call("POST", "/image/ai-edit", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].headers["RateLimit-Limit"] == "1, 60;w=60, 1;w=1"
    assert client.generate().status_code == 200
