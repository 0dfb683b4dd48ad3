from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, picture, png


@pytest.fixture
def address(folder: Path) -> str:
    """A picture of 400x300 pixels in a connected storage."""
    folder.mkdir(parents=True)
    (folder / "photo.png").write_bytes(png())
    return "storage://shop/photo.png"


def run(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.call("POST", path, json=body)
    assert answer.status_code == 200, answer.text
    return client.wait(path, answer.json()["data"])


def test_an_ai_edit_costs_two_credits_an_image_and_keeps_the_size(
    client: Client, sandbox: Sandbox, address: str
) -> None:
    body = {
        "input": address,
        "options": {"prompt": "make it snow"},
        "output": {"number_of_images": 3, "format": "jpeg"},
    }
    done = run(client, "/image/ai-edit", body)
    assert done["status"] == "DONE"
    assert [image["width"] for image in done["result"]["output_objects"]] == [400] * 3
    assert picture(done["result"]["output_objects"][2]["tmp_url"]).format == "JPEG"
    assert done["result"]["input_object"]["height"] == 300
    assert sandbox.charged() == 6


def test_options_of_model_v1_need_model_v1(client: Client, address: str) -> None:
    options = {"prompt": "make it snow", "aspect_ratio": "16:9"}
    refused = client.call("POST", "/image/ai-edit", json={"input": address, "options": options})
    assert refused.status_code == 422
    done = run(client, "/image/ai-edit", {"input": address, "options": {**options, "model": "v1"}})
    image = done["result"]["output_objects"][0]
    assert abs(image["width"] / image["height"] - 16 / 9) < 0.02


def test_a_blocked_ai_edit_is_black_and_charged(client: Client, sandbox: Sandbox, address: str) -> None:
    done = run(client, "/image/ai-edit", {"input": address, "options": {"prompt": "gore everywhere"}})
    image = picture(done["result"]["output_objects"][0]["tmp_url"]).convert("RGB")
    assert image.getextrema() == ((0, 0), (0, 0), (0, 0))
    assert sandbox.charged() == 2


def test_a_fashion_model_wears_up_to_five_garments(client: Client, sandbox: Sandbox, address: str) -> None:
    body = {"input": {"clothing": [address] * 5}, "options": {"aspect_ratio": "3:4"}, "output": "storage://shop/model/"}
    done = run(client, "/image/ai-fashion-models", body)
    assert len(done["result"]["input_objects"]) == 5
    assert done["result"]["output_objects"][0]["object_key"].startswith("catalogue/model/Claid_")
    assert sandbox.charged() == 2
    body["input"] = {"clothing": [address] * 6}
    assert client.call("POST", "/image/ai-fashion-models", json=body).status_code == 422


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


@pytest.mark.parametrize(("duration", "price"), [(None, 35), ("5", 35), ("10", 70)])
def test_a_video_begins_as_processing_and_is_an_mp4_of_the_right_length(
    client: Client, sandbox: Sandbox, address: str, duration: str | None, price: float
) -> None:
    options = {"prompt": "the camera turns", **({"duration": duration} if duration else {})}
    first = client.call("POST", "/video/generate", json={"input": address, "options": options}).json()["data"]
    assert first["status"] == "PROCESSING"
    done = client.wait("/video/generate", first)
    answer = requests.get(done["result"]["output_object"]["tmp_url"], timeout=10)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.content[4:8] == b"ftyp"
    header = answer.content.index(b"mvhd")
    scale, length = struct.unpack(">II", answer.content[header + 16 : header + 24])
    assert length / scale == int(duration or "5")
    assert sandbox.charged() == price


def test_a_video_needs_sides_of_300_pixels_and_a_place_for_mp4(client: Client, address: str, folder: Path) -> None:
    (folder / "small.png").write_bytes(png((299, 400)))
    options = {"prompt": "the camera turns"}
    ended = run(client, "/video/generate", {"input": "storage://shop/small.png", "options": options})
    assert ended["status"] == "ERROR"
    body = {"input": address, "options": options, "output": "storage://shop/a.mov"}
    assert client.call("POST", "/video/generate", json=body).status_code == 422
    body["output"] = "storage://shop/a.mp4"
    assert run(client, "/video/generate", body)["status"] == "DONE"
    assert (folder / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_a_batch_takes_a_list_and_tells_what_failed(client: Client, sandbox: Sandbox, address: str) -> None:
    body = {
        "input": [address, "storage://shop/none.png"],
        "operations": {"resizing": {"width": 40, "height": 30}},
        "output": "storage://shop/out/",
    }
    done = run(client, "/image/edit/batch", body)
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
    done = run(client, "/image/edit/batch", {"input": source, "operations": {}, "output": "storage://shop/out/"})
    assert len(done["results"]) == count
    assert sandbox.charged() == count
    assert sandbox.ledger("submit_batch_edit")[0].number_of_images == count


def test_jobs_of_one_kind_are_not_found_as_another(client: Client, address: str) -> None:
    job = client.call("POST", "/image/ai-edit", json={"input": address, "options": {"prompt": "snow"}}).json()["data"]
    assert client.call("GET", f"/image/edit/async/{job['id']}").status_code == 404


def test_ai_edits_have_a_quota_of_their_own(client: Client, sandbox: Sandbox, address: str) -> None:
    sandbox.change(creative_quota="60/60,1/1")
    body = {"input": address, "options": {"prompt": "make it snow"}}
    answers = [client.call("POST", "/image/ai-edit", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].headers["RateLimit-Limit"] == "1, 60;w=60, 1;w=1"
    assert client.generate().status_code == 200
