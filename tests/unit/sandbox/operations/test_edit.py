from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from airflow_claid.sandbox import Sandbox
from tests.support.sandbox_client import Client, picture, png

UPSCALE = {"upscale": "smart_enhance"}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server on a folder with ``photo.png`` (400x300), ``page.html`` and ``huge.png``."""
    (tmp_path / "photo one.png").write_bytes(png())
    (tmp_path / "page.html").write_text("<html></html>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("resizing", "size"),
    [
        ({"width": 200, "height": 200}, (200, 200)),
        ({"width": 200, "height": 200, "fit": "crop"}, (200, 200)),
        ({"width": 200, "height": 200, "fit": {"type": "crop", "crop": "smart"}}, (200, 200)),
        ({"width": 200}, (200, 300)),
        ({"height": 100}, (400, 100)),
        ({"width": 800}, (800, 300)),
        ({"width": "50%"}, (200, 300)),
        ({"width": "50%", "height": "50%"}, (200, 150)),
        ({"width": "200%", "height": "200%"}, (800, 600)),
        ({"width": "250%", "fit": "bounds"}, (1000, 750)),
        ({"width": "33.3%", "height": "auto", "fit": "bounds"}, (133, 100)),
        ({"width": 200, "height": 200, "fit": "cover"}, (267, 200)),
        ({"width": 200, "fit": "cover"}, (200, 150)),
        ({"height": 600, "fit": "cover"}, (800, 600)),
        ({"width": 200, "height": 200, "fit": "bounds"}, (200, 150)),
        ({"height": 30, "width": "auto", "fit": "bounds"}, (40, 30)),
        ({"width": 500, "height": 500, "fit": "canvas"}, (500, 500)),
        ({"width": 100, "fit": "canvas"}, (100, 75)),
        ({"width": 500, "height": 500, "fit": "outpaint"}, (500, 500)),
        ({"width": 500, "height": 500, "fit": {"type": "outpaint", "feathering": "5%"}}, (500, 500)),
        ({"fit": {"type": "outpaint", "outpaint_by": "10%"}}, (480, 360)),
        ({"fit": {"type": "outpaint", "outpaint_by": "10px 20px"}}, (420, 340)),
    ],
)
def test_each_fit_gives_exactly_the_documented_size(
    client: Client, address: str, resizing: dict[str, Any], size: tuple[int, int]
) -> None:
    answer = client.edit(address, {"resizing": resizing})
    output = answer.json()["data"]["output"]
    assert (output["width"], output["height"]) == size
    assert picture(output["tmp_url"]).size == size


def test_one_side_under_crop_cuts_and_does_not_shrink(client: Client, address: str) -> None:
    output = client.edit(address, {"resizing": {"width": 200}}, output={"format": "png"}).json()["data"]["output"]
    cut = picture(output["tmp_url"]).convert("RGB")
    navy, teal = (0, 0, 128), (0, 128, 128)
    assert cut.getpixel((0, 150)) == teal, "the frame on the left is cut off"
    assert cut.getpixel((100, 9)) == navy
    assert cut.getpixel((100, 10)) == teal, "the frame above is as thick as it was"


@pytest.mark.parametrize(
    ("operations", "field"),
    [
        ({"resizing": {}}, "operations.resizing"),
        ({"resizing": {"width": "auto", "height": "auto"}}, "operations.resizing"),
        ({"resizing": {"width": "50%", "height": "60%"}}, "operations.resizing"),
        ({"resizing": {"width": "50%", "height": 60}}, "operations.resizing"),
        ({"resizing": {"width": 0}}, "operations.resizing.width"),
        ({"resizing": {"height": -5}}, "operations.resizing.height"),
        ({"resizing": {"width": "wide"}}, "operations.resizing.width"),
        ({"resizing": {"width": None}}, "operations.resizing.width"),
        ({"resizing": {"width": 10, "fit": "stretch"}}, "operations.resizing.fit"),
        ({"resizing": {"width": 20_000, "height": 20_000}}, "operations.resizing"),
        ({"background": {"color": "beautiful"}}, "operations.background.color"),
        ({"padding": "a lot"}, "operations.padding"),
        ({"adjustments": {"exposure": 101}}, "operations.adjustments.exposure"),
        ({"sharpen": True}, "operations.sharpen"),
    ],
)
def test_operations_that_make_no_sense_are_422_and_cost_nothing(
    client: Client, sandbox: Sandbox, address: str, operations: dict[str, Any], field: str
) -> None:
    answer = client.edit(address, operations)
    assert answer.status_code == 422
    assert field in answer.json()["error_details"]
    assert sandbox.charged() == 0


def test_an_upscale_gives_more_pixels_than_interpolation_alone_would_show(client: Client, address: str) -> None:
    resizing = {"width": "200%", "height": "200%"}
    contents = [
        picture(client.edit(address, operations, output={"format": "png"}).json()["data"]["output"]["tmp_url"])
        for operations in ({"resizing": resizing}, {"resizing": resizing, "restorations": UPSCALE})
    ]
    assert contents[0].size == contents[1].size == (800, 600)
    assert contents[0].tobytes() != contents[1].tobytes()


FORMATS = [
    ("jpeg", "JPEG"),
    ("png", "PNG"),
    ("webp", "WEBP"),
    ("tiff", "TIFF"),
    ({"type": "jpeg", "quality": 40, "progressive": False}, "JPEG"),
    ({"type": "png", "compression": "best"}, "PNG"),
    ({"type": "webp", "compression": "lossless"}, "WEBP"),
    ({"type": "webp", "compression": {"type": "lossy", "quality": 10}}, "WEBP"),
    ({"type": "tiff", "compression": {"type": "lossless"}}, "TIFF"),
    ({"type": "tiff", "compression": "lossy"}, "TIFF"),
]
if "AVIF" in Image.SAVE:
    FORMATS += [("avif", "AVIF"), ({"type": "avif", "compression": "lossless"}, "AVIF")]


@pytest.mark.parametrize(("chosen", "written"), FORMATS)
def test_each_format_is_really_written(client: Client, address: str, chosen: Any, written: str) -> None:
    output = client.edit(address, output={"format": chosen}).json()["data"]["output"]
    assert picture(output["tmp_url"]).format == written
    assert output["ext"] == written.lower()
    assert output["mime"] == f"image/{written.lower()}"


def test_jpeg_is_the_default_and_one_edit_costs_one_credit(client: Client, sandbox: Sandbox, address: str) -> None:
    data = client.edit(address).json()["data"]
    assert data["input"] == {
        "ext": "png",
        "mps": 0.12,
        "mime": "image/png",
        "format": "PNG",
        "width": 400,
        "height": 300,
    }
    assert picture(data["output"]["tmp_url"]).format == "JPEG"
    assert sandbox.charged() == 1


def test_dots_per_inch_and_cmyk_are_written(client: Client, address: str) -> None:
    metadata = {"dpi": 300, "color_space": {"type": "CMYK"}}
    image = picture(client.edit(address, output={"metadata": metadata}).json()["data"]["output"]["tmp_url"])
    assert image.mode == "CMYK"
    assert image.info["dpi"] == (300, 300)


@pytest.mark.parametrize(
    "operations",
    [
        {"adjustments": {"hdr": 50}},
        {"adjustments": {"hdr": {"intensity": 80, "stitching": True}}},
        {"adjustments": {"exposure": 40}},
        {"adjustments": {"saturation": -80}},
        {"adjustments": {"contrast": 60}},
        {"adjustments": {"sharpness": 100}},
        {"background": {"blur": {"level": "high"}}},
        {"background": {"remove": True}},
        {"background": {"remove": {"category": "products"}, "color": "#ff0000"}},
        {"padding": "10%"},
        {"privacy": {"identity_crop": True}},
        {"generative": {"style_transfer": {"style_reference_image": "https://example.com/style.png"}}},
    ],
)
def test_every_operation_changes_the_picture(client: Client, address: str, operations: dict[str, Any]) -> None:
    plain, changed = (
        picture(client.edit(address, one, output={"format": "png"}).json()["data"]["output"]["tmp_url"])
        for one in ({}, operations)
    )
    assert (plain.size, plain.convert("RGBA").tobytes()) != (changed.size, changed.convert("RGBA").tobytes())


def test_a_removed_background_is_clear_in_png_and_white_in_jpeg(client: Client, address: str) -> None:
    removed = {"background": {"remove": True}}
    clear = picture(client.edit(address, removed, output={"format": "png"}).json()["data"]["output"]["tmp_url"])
    assert clear.getpixel((0, 0)) == (0, 0, 0, 0)
    white = picture(client.edit(address, removed).json()["data"]["output"]["tmp_url"])
    assert min(white.getpixel((0, 0))) > 250  # type: ignore[type-var, arg-type]


def test_a_canvas_is_padded_with_the_background_colour(client: Client, address: str) -> None:
    operations = {"resizing": {"width": 400, "height": 400, "fit": "canvas"}, "background": {"color": "#00ff00"}}
    output = client.edit(address, operations, output={"format": "png"}).json()["data"]["output"]
    assert picture(output["tmp_url"]).convert("RGB").getpixel((200, 5)) == (0, 255, 0)


def test_an_input_on_the_web_is_fetched(client: Client, web: str, folder: Path) -> None:
    answer = client.edit(f"{web}/photo%20one.png", output="storage://shop/edited/")
    assert answer.json()["data"]["output"]["object_key"] == "catalogue/edited/photo one.jpeg"
    assert (folder / "edited" / "photo one.jpeg").is_file()


@pytest.mark.parametrize("path", ["/missing.png", "/page.html"])
def test_an_input_that_cannot_be_fetched_or_is_no_picture_is_400(
    client: Client, sandbox: Sandbox, web: str, path: str
) -> None:
    answer = client.edit(web + path)
    assert answer.status_code == 400
    assert answer.json()["error_type"] == "image"
    assert sandbox.charged() == 0


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/a.png", "ftp://example.com/a.png", "data:image/png,abc"])
def test_an_input_that_cannot_be_reached_is_400(client: Client, address: str) -> None:
    assert client.edit(address).status_code == 400


@pytest.mark.usefixtures("full_size")
def test_its_own_temporary_addresses_are_inputs_until_they_expire(client: Client, sandbox: Sandbox) -> None:
    address = client.picture_address()
    first = client.edit(address, {"resizing": {"width": 100, "fit": "bounds"}}).json()["data"]
    assert (first["input"]["width"], first["output"]["width"]) == (1024, 100)
    again = client.edit(first["output"]["tmp_url"]).json()["data"]
    assert again["input"]["format"] == "JPEG"
    sandbox.advance(25 * 3600)
    assert client.edit(address).status_code == 400


def test_an_upload_is_edited(client: Client, sandbox: Sandbox, folder: Path) -> None:
    data = json.dumps({"operations": {"resizing": {"width": 100, "fit": "bounds"}}, "output": "storage://shop/up/"})
    answer = client.call("POST", "/image/edit/upload", files={"file": ("mein Bild.png", png())}, data={"data": data})
    assert answer.json()["data"]["output"]["claid_storage_uri"] == "storage://shop/up/mein Bild.jpeg"
    assert Image.open(folder / "up" / "mein Bild.jpeg").size == (100, 75)
    assert sandbox.charged() == 1


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"data": {"data": '{"operations": {}}'}}, 422),
        ({"files": {"file": ("a.png", png())}}, 422),
        ({"files": {"file": ("a.png", png())}, "data": {"data": "{"}}, 400),
        ({"files": {"file": ("a.png", png())}, "data": {"data": "[]"}}, 422),
        ({"files": {"file": ("a.png", png())}, "data": {"data": '{"operations": {}, "input": "x"}'}}, 422),
        ({"files": {"file": ("a.png", b"no picture")}, "data": {"data": '{"operations": {}}'}}, 400),
    ],
)
def test_a_wrong_form_is_refused(client: Client, form: dict[str, Any], status: int) -> None:
    assert client.call("POST", "/image/edit/upload", **form).status_code == status


@pytest.mark.parametrize("header", ["Content-Disposition: form-data; name=\rfile", "no colon", ""])
def test_a_form_that_is_no_form_is_refused(client: Client, sandbox: Sandbox, header: str) -> None:
    body = f"--b\r\n{header}\r\n\r\nx\r\n--b--\r\n".encode()
    answer = client.call(
        "POST", "/image/edit/upload", data=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert 400 <= answer.status_code < 500
    assert sandbox.charged() == 0


def test_a_decompression_bomb_is_refused(client: Client, folder: Path, sandbox: Sandbox) -> None:
    folder.mkdir(parents=True)
    target = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(target, "PNG")
    (folder / "bomb.png").write_bytes(target.getvalue())
    answer = client.edit("storage://shop/bomb.png", {"resizing": {"width": 10}})
    assert answer.status_code == 400
    assert sandbox.charged() == 0


def test_a_job_is_accepted_worked_on_and_done(client: Client, sandbox: Sandbox, address: str) -> None:
    body = {"input": address, "operations": {"resizing": {"width": 80, "height": 60}}}
    job = client.call("POST", "/image/edit/async", json=body).json()["data"]
    assert (job["status"], job["request"], job["errors"], job["result"]) == ("ACCEPTED", body, [], {})
    assert job["result_url"] == f"{sandbox.url}/v1/image/edit/async/{job['id']}"
    assert job["result_url"].startswith("http://")
    done = client.wait("/image/edit/async", job)
    assert done["status"] == "DONE"
    assert (done["result"]["input_object"]["width"], done["result"]["output_object"]["width"]) == (400, 80)
    assert picture(done["result"]["output_object"]["tmp_url"]).size == (80, 60)
    assert sandbox.charged() == 1


def test_a_job_whose_input_is_missing_ends_in_error_with_a_reason(client: Client, folder: Path) -> None:
    body = {"input": "storage://shop/none.png", "operations": {}}
    job = client.call("POST", "/image/edit/async", json=body).json()["data"]
    ended = client.wait("/image/edit/async", job)
    assert ended["status"] == "ERROR"
    assert "none.png" in ended["errors"][0]["error"]
    assert ended["errors"][0]["created_at"]


def test_an_unknown_job_is_404_and_an_id_that_is_no_number_is_fastapis_422(client: Client) -> None:
    assert client.call("GET", "/image/edit/async/77").status_code == 404
    answer = client.call("GET", "/image/edit/async/abc")
    assert answer.status_code == 422
    assert set(answer.json()["detail"][0]) == {"loc", "msg", "type"}
