from __future__ import annotations

import pytest
import requests
from PIL import ImageChops

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.support.sandbox_client import Client, picture


def test_without_a_number_four_images_are_made_and_charged(client: Client, sandbox: Sandbox) -> None:
    output = client.generate().json()["data"]["output"]
    assert len(output) == 4
    assert sandbox.charged() == 4


@pytest.mark.usefixtures("full_size")
def test_the_prompt_comes_back_and_the_images_are_png_of_1024_pixels(client: Client) -> None:
    data = client.generate("un café crème, à côté d'une brioche 🥐").json()["data"]
    assert data["input"]["text"] == "un café crème, à côté d'une brioche 🥐"
    for image in data["output"]:
        assert (image["width"], image["height"], image["ext"], image["mime"]) == (1024, 1024, "png", "image/png")
        assert image["object_key"] is None
        assert image["object_bucket"] is None
        assert image["object_uri"] is None
        assert image["claid_storage_uri"] is None
        assert picture(image["tmp_url"]).size == (1024, 1024)


def test_temporary_addresses_look_like_claids(client: Client, sandbox: Sandbox) -> None:
    address = client.generate().json()["data"]["output"][2]["tmp_url"]
    assert address.startswith(f"{sandbox.url}/tmp/")
    assert address.endswith("_3.png")


def test_a_download_declares_its_type_and_length(client: Client) -> None:
    answer = requests.get(client.picture_address(), timeout=10)
    assert answer.headers["content-type"] == "image/png"
    assert int(answer.headers["content-length"]) == len(answer.content) < 300_000
    assert requests.head(answer.url, timeout=10).headers["content-length"] == str(len(answer.content))


def test_the_same_prompt_gives_the_same_pictures_and_another_prompt_others(client: Client) -> None:
    first, again, other = (client.picture_address(prompt) for prompt in ("a lamp", "a lamp", "a lamb"))
    assert first != again
    assert requests.get(first, timeout=10).content == requests.get(again, timeout=10).content
    assert ImageChops.difference(picture(first), picture(other)).getbbox() is not None


def test_the_four_pictures_of_a_request_differ(client: Client) -> None:
    output = client.generate().json()["data"]["output"]
    assert len({requests.get(image["tmp_url"], timeout=10).content for image in output}) == 4


@pytest.mark.parametrize("prompt", ["a Gore-free NUDE statue", "blocked-example", "x nude"])
@pytest.mark.usefixtures("full_size")
def test_a_blocked_word_gives_a_plain_black_picture_and_is_charged(
    client: Client, sandbox: Sandbox, prompt: str
) -> None:
    answer = client.generate(prompt, options={"number_of_images": 1})
    assert answer.status_code == 200
    image = picture(answer.json()["data"]["output"][0]["tmp_url"])
    assert image.size == (1024, 1024)
    assert image.convert("RGB").getextrema() == ((0, 0), (0, 0), (0, 0))
    assert sandbox.charged() == 1


def test_a_blocked_word_inside_another_word_blocks_nothing(client: Client) -> None:
    assert picture(client.picture_address("denuded hills in Gorenje")).convert("L").getextrema() != (0, 0)


def test_an_address_expires_after_a_day_as_a_buckets_does(client: Client, sandbox: Sandbox) -> None:
    address = client.picture_address()
    sandbox.advance(24 * 3600 - 5)
    assert requests.get(address, timeout=10).status_code == 200
    sandbox.advance(10)
    answer = requests.get(address, timeout=10)
    assert answer.status_code == 403
    assert "Expired" in answer.text
    assert requests.get(address.replace("_1.png", "_2.png"), timeout=10).status_code == 403
    assert requests.get(f"{sandbox.url}/tmp/nothing/here_1.png", timeout=10).status_code == 404


def test_pictures_of_a_smaller_size_serve_benchmarks() -> None:
    with Sandbox(SandboxSettings(image_size=64)) as sandbox:
        client = Client(sandbox)
        assert picture(client.picture_address()).size == (64, 64)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": "ab"}, "input"),
        ({"input": "x" * 1025}, "input"),
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": "abc", "colour": "red"}, "colour"),
        ({"input": "abc", "options": {"number_of_images": 5}}, "options.number_of_images"),
        ({"input": "abc", "options": {"number_of_images": True}}, "options.number_of_images"),
        ({"input": "abc", "options": {"number_of_images": "2"}}, "options.number_of_images"),
        ({"input": "abc", "options": {"guidance_scale": 50}}, "options.guidance_scale"),
        ({"input": "abc", "options": None}, "options"),
        ({"input": "abc", "output": "no address"}, "output"),
        ({"input": "abc", "output": "https://example.com/"}, "output"),
        ({"input": "abc", "output": "storage://shop/folder"}, "output"),
    ],
)
def test_a_body_that_breaks_the_contract_is_refused_by_field_and_not_charged(
    client: Client, sandbox: Sandbox, body: dict[str, object], field: str
) -> None:
    sandbox.connect_storage("shop", bucket="b")
    answer = client.call("POST", "/image/generate", json=body)
    assert answer.status_code == 422
    envelope = answer.json()
    assert (envelope["error_code"], envelope["error_type"]) == ("9000", "validation")
    assert list(envelope["error_details"]) == [field]
    assert sandbox.charged() == 0


def test_whole_floats_are_integers_as_in_json_schema(client: Client) -> None:
    assert len(client.generate(options={"number_of_images": 2.0}).json()["data"]["output"]) == 2


@pytest.mark.parametrize("raw", [b"", b"{", b'{"input": NaN}', b"\xff\xfe{}"])
def test_a_body_that_is_no_json_is_a_400(client: Client, raw: bytes) -> None:
    headers = {**client.headers, "Content-Type": "application/json"}
    answer = client.call("POST", "/image/generate", data=raw, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error_details"] == {}
