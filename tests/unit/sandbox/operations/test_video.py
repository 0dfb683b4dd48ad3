from __future__ import annotations

import struct
from pathlib import Path

import pytest
import requests

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, png


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
    ended = client.run("/video/generate", {"input": "storage://shop/small.png", "options": options})
    assert ended["status"] == "ERROR"
    body = {"input": address, "options": options, "output": "storage://shop/a.mov"}
    assert client.call("POST", "/video/generate", json=body).status_code == 422
    body["output"] = "storage://shop/a.mp4"
    assert client.run("/video/generate", body)["status"] == "DONE"
    assert (folder / "a.mp4").read_bytes()[4:8] == b"ftyp"
