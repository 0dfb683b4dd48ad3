"""What is found in an answer: pictures that were made, and the prompt that it repeats; nothing of the request."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_claid.client.finding import pictures_in, prompt_in

LINK = "https://dl.claid.ai/made/a.png"


@pytest.mark.parametrize(
    "request_body",
    [
        {"output": {"destination": "storage://shop/out/"}},
        {"output": {"destination": "storage://shop/out/small.png"}},
        {"input": "https://shop.example/lamp.jpg", "output": {"format": "png"}},
        {"operations": {"generative": {"style_transfer": {"style_reference_image": "https://shop.example/style.jpg"}}}},
        {
            "object": {"image_url": "https://shop.example/lamp.jpg"},
            "scene": {"template_url": "https://x.example/t.jpg"},
        },
        {"clothing": ["https://shop.example/shirt.jpg"]},
    ],
)
def test_what_a_request_names_is_no_picture_that_was_made(request_body: dict[str, Any]) -> None:
    job = {"id": 7, "status": "DONE", "request": request_body, "result": {}}
    assert pictures_in({"data": job}) == []
    assert pictures_in({"data": {**job, "made": {"tmp_url": LINK}}}) == [{"tmp_url": LINK}]


@pytest.mark.parametrize("folder", ["storage://shop/out/", "s3://pictures/out/", "gs://pictures/"])
def test_a_folder_is_no_picture(folder: str) -> None:
    assert pictures_in({"data": {"output": [{"claid_storage_uri": folder, "object_uri": folder}]}}) == []


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"claid_storage_uri": "STORAGE://shop/a.png"}, {"claid_storage_uri": "storage://shop/a.png"}),
        ({"object_uri": "S3://pictures/A.png"}, {"object_uri": "s3://pictures/A.png"}),
        ({"claid_storage_uri": "shop/out/a.png"}, {"object_key": "shop/out/a.png"}),
        ({"object_uri": "pictures/a.png", "object_key": "a.png"}, {"object_key": "a.png"}),
        ({"object_uri": "https://s3.example/my shop/a.png"}, {"object_uri": "https://s3.example/my shop/a.png"}),
        ({"claid_storage_uri": "a.png"}, None),
    ],
)
def test_an_address_is_found_in_another_form(item: dict[str, str], found: dict[str, str] | None) -> None:
    assert pictures_in({"data": {"output": [item]}}) == ([found] if found else [])


@pytest.mark.parametrize(
    ("data", "prompt"),
    [
        ({"input": {"text": "a lamp"}}, "a lamp"),
        ({"input": {"prompt": "a lamp"}}, "a lamp"),
        ({"request": {"options": {"prompt": "a lamp"}}}, "a lamp"),
        ({"request": {"prompt": "a lamp"}}, "a lamp"),
        ({"request": {"options": {"prompt": {"generate": True}}}}, None),
        ({"input": {"text": "  "}, "request": None}, None),
        ({"input": {"text": "\ud800"}}, None),
        ({"input": "https://shop.example/lamp.jpg"}, None),
        ([], None),
    ],
)
def test_the_prompt_that_an_answer_repeats(data: object, prompt: str | None) -> None:
    assert prompt_in({"data": data}) == prompt
