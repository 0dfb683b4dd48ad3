"""What public clients of Claid send is taken, over real HTTP: all calls of the client ``claidai``, and others' ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import claidai
import pytest
from claidai import Claid, process_folder
from PIL import Image

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, png

EDITS: dict[str, Callable[[Claid, Path], claidai.EditResult]] = {
    "remove the background": lambda claid, photo: claid.remove_bg(photo),
    "remove, white": lambda claid, photo: claid.remove_bg(photo, bg_color="#ffffff"),
    "remove, as JPEG": lambda claid, photo: claid.remove_bg(photo, category="cars", output_format="jpeg"),
    "upscale": lambda claid, photo: claid.upscale(photo),
    "upscale faces": lambda claid, photo: claid.upscale(photo, scale="400%", method="faces"),
    "upscale a photo": lambda claid, photo: claid.upscale(photo, method="photo"),
    "blur the background": lambda claid, photo: claid.blur_bg(photo),
    "blur, regular": lambda claid, photo: claid.blur_bg(photo, blur_type="regular", level="high", category="products"),
    "enhance": lambda claid, photo: claid.enhance(photo, hdr=60, exposure=10, saturation=-5, contrast=5, sharpness=20),
    "resize": lambda claid, photo: claid.resize(photo, width=200, height=100),
    "resize one side": lambda claid, photo: claid.resize(photo, width=200),
    "resize in percent": lambda claid, photo: claid.resize(photo, width="50%"),
    "resize, smart crop": lambda claid, photo: claid.resize(photo, width=200, height=200, smart=True),
    "resize, bounds": lambda claid, photo: claid.resize(photo, width=200, height=200, fit="bounds"),
    "resize, cover": lambda claid, photo: claid.resize(photo, width=200, height=200, fit="cover"),
    "resize, canvas": lambda claid, photo: claid.resize(photo, width=200, height=200, fit="canvas"),
    "resize, outpaint": lambda claid, photo: claid.resize(photo, width=500, height=500, fit="outpaint"),
    "polish": lambda claid, photo: claid.polish(photo, decompress="strong"),
    "outpaint": lambda claid, photo: claid.outpaint(photo),
    "outpaint both ways": lambda claid, photo: claid.outpaint(photo, width="150%", height="120%", feathering="50%"),
    "convert to JPEG": lambda claid, photo: claid.convert(photo, output_format="jpeg"),
    "convert to PNG": lambda claid, photo: claid.convert(photo, output_format="png"),
    "convert to WEBP": lambda claid, photo: claid.convert(photo, output_format="webp", quality=60),
    "convert to AVIF": lambda claid, photo: claid.convert(photo, output_format="avif"),
    "convert to TIFF": lambda claid, photo: claid.convert(photo, output_format="tiff"),
}


@pytest.fixture
def claid(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Claid:
    """The public client, with another base address."""
    monkeypatch.setattr("claidai.client.BASE_URL", f"{sandbox.url}/v1")
    return Claid(sandbox.api_key)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of 400x300 pixels."""
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (400, 300), "teal").save(path)
    return path


class TestClaidai:
    @pytest.mark.parametrize("name", EDITS)
    def test_an_edit_is_answered_with_a_picture(
        self, claid: Claid, sandbox: Sandbox, photo: Path, tmp_path: Path, name: str
    ) -> None:
        result = EDITS[name](claid, photo)
        with Image.open(result.save(tmp_path / "edited")) as picture:
            assert picture.size == (result.output_meta.width, result.output_meta.height)
            assert picture.format == result.output_meta.format
        assert [entry.status for entry in sandbox.ledger()] == [200]

    def test_the_outpainted_picture_has_the_percentages_asked_for(self, claid: Claid, photo: Path) -> None:
        result = claid.outpaint(photo)
        assert (result.output_meta.width, result.output_meta.height) == (600, 300)

    def test_a_folder(self, claid: Claid, photo: Path, tmp_path: Path) -> None:
        result = process_folder(claid, photo.parent, tmp_path / "out", claid.convert, output_format="webp")
        assert (result.success_count, result.fail_count) == (1, 0)

    def test_its_errors_are_its_own_words_for_the_sandboxs_refusals(
        self, claid: Claid, sandbox: Sandbox, photo: Path
    ) -> None:
        with pytest.raises(claidai.ClaidValidationError):
            claid.resize(photo, width="wide")
        with pytest.raises(claidai.ClaidAuthError):
            Claid("wrong").polish(photo)
        sandbox.fault("429")
        with pytest.raises(claidai.ClaidRateLimitError):
            claid.polish(photo)
        assert sandbox.charged() == 0


def test_an_upload_without_operations(client: Client) -> None:
    files = {"file": ("photo.png", png(), "image/png"), "data": (None, "{}")}
    answer = client.call("POST", "/image/edit/upload", files=files)
    assert answer.json()["data"]["output"]["width"] == 400


@pytest.mark.usefixtures("full_size")
@pytest.mark.parametrize(("duration", "price"), [(5, 35), (10, 70), ("5", 35)])
def test_a_videos_duration_as_a_number(client: Client, sandbox: Sandbox, duration: int | str, price: float) -> None:
    body = {"input": client.picture_address(), "options": {"prompt": "it turns", "duration": duration}}
    data = client.run("/video/generate", body)
    assert (data["status"], data["request"]["options"]["duration"]) == ("DONE", duration)
    assert sandbox.ledger("submit_video")[0].credits == price


@pytest.mark.parametrize("duration", [7, 5.5, True, "five"])
def test_no_other_duration(client: Client, duration: object) -> None:
    body = {"input": client.picture_address(), "options": {"prompt": "it turns", "duration": duration}}
    assert client.call("POST", "/video/generate", json=body).status_code == 422


def test_addresses_of_the_older_docs(client: Client, sandbox: Sandbox) -> None:
    headers = client.headers
    answer = client.call("POST", "-beta1/image/generate", json={"input": "a lamp"}, headers=headers)
    assert answer.url == f"{sandbox.url}/v1-beta1/image/generate"
    assert len(answer.json()["data"]["output"]) == 4
    body = {"input": answer.json()["data"]["output"][0]["tmp_url"], "operations": {}}
    job = client.call("POST", "-beta1/image/edit/async", json=body).json()["data"]
    assert client.wait("-beta1/image/edit/async", job)["status"] == "DONE"
    assert [entry.operation for entry in sandbox.ledger()][:2] == ["generate_image", "submit_edit"]


def test_an_ai_edit_v2_with_the_settings_of_v1(client: Client) -> None:
    options = {"prompt": "on a beach", "model": "v2", "guidance_scale": 7.5, "inference_steps": 30}
    assert client.run("/image/ai-edit", {"input": client.picture_address(), "options": options})["status"] == "DONE"


def test_outpainting_by_percent_as_json(client: Client, address: str) -> None:
    resizing = {"width": "200%", "height": "100%", "fit": "outpaint"}
    answer = client.edit(address, {"resizing": resizing})
    assert (answer.json()["data"]["output"]["width"], answer.json()["data"]["output"]["height"]) == (800, 300)
    assert client.edit(address, {"resizing": {**resizing, "fit": "canvas"}}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"operations": {"resizing": {"width": 9, "height": 9, "fit": {"crop": "clever"}}}},
        {"operations": {"resizing": {"width": 9, "height": 9, "fit": {"cover": "smart"}}}},
        {"operations": {}, "output": {"format": {"type": "webp", "quality": 101}}},
        {"operations": {}, "output": {"format": {"type": "gif", "quality": 80}}},
    ],
)
def test_what_nobody_can_interpret_stays_refused(client: Client, address: str, body: dict[str, object]) -> None:
    answer = client.call("POST", "/image/edit", json={"input": address, **body})
    assert answer.status_code == 422, json.dumps(answer.json())
