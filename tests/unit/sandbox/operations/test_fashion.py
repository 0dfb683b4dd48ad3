from __future__ import annotations

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client


def test_a_fashion_model_wears_up_to_five_garments(client: Client, sandbox: Sandbox, address: str) -> None:
    body = {"input": {"clothing": [address] * 5}, "options": {"aspect_ratio": "3:4"}, "output": "storage://shop/model/"}
    done = client.run("/image/ai-fashion-models", body)
    assert len(done["result"]["input_objects"]) == 5
    assert done["result"]["output_objects"][0]["object_key"].startswith("catalogue/model/Claid_")
    assert sandbox.charged() == 2
    body["input"] = {"clothing": [address] * 6}
    assert client.call("POST", "/image/ai-fashion-models", json=body).status_code == 422
