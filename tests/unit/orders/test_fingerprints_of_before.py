"""Receipts that are in people's folders were filed under these fingerprints: none of them may ever change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_claid.client import Storage
from airflow_claid.operators import (
    BackgroundGenerationOperator,
    FashionModelOperator,
    ImageAIEditOperator,
    ImageEditOperator,
    ImageFolderEditOperator,
    ImageGenerationOperator,
    ImageResizeOperator,
    ImageToVideoOperator,
    ImageUpscaleOperator,
)
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.orders import batch_edit
from airflow_claid.orders.order import Order
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.stored_files import StoredFile

EXPECTED = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
PHOTO = "https://shop.test/photo.png?X-Amz-Signature=0"
STORED = "storage://shop/in/chair.png"
BUCKET = "s3://pictures/made/"
SMALL = {"resizing": {"width": 40, "height": 30, "fit": "bounds"}}


OPERATORS: dict[str, Callable[[], ClaidPayingOperator]] = {
    "generate": lambda: ImageGenerationOperator(task_id="t", prompt=" A red bicycle\n", output="storage://shop/made/"),
    "generate, all parameters": lambda: ImageGenerationOperator(
        task_id="t", prompt="A red bicycle", number_of_images="3", guidance_scale=7, output=BUCKET, name="BIKE"
    ),
    "edit": lambda: ImageEditOperator(task_id="t", input=PHOTO, operations={"background": {"remove": True}}),
    "edit, all parameters": lambda: ImageEditOperator(
        task_id="t",
        input=[PHOTO, STORED],
        operations={
            "restorations": {"upscale": {"type": "photo", "version": "2"}, "polish": False},
            "adjustments": {"hdr": {"intensity": 50.0}, "exposure": -10},
            "background": {"remove": {"category": "products", "clipping": True}, "color": "#ffffff"},
            "resizing": {"width": "800", "height": "auto", "fit": {"type": "crop", "crop": "smart"}},
            "padding": "10%",
            "generative": {"style_transfer": {"style_reference_image": "https://shop.test/style.png"}},
        },
        output="s3://me@pictures/made/",
        output_format={"type": "webp", "compression": {"type": "lossy", "quality": 80}},
        metadata={"dpi": 300, "color_space": {"type": "CMYK", "color_profile": "ISO_Coated"}},
    ),
    "edit, one file": lambda: ImageEditOperator(
        task_id="t", input=STORED, operations=SMALL, output="s3://pictures/made/chair.png"
    ),
    "upscale": lambda: ImageUpscaleOperator(task_id="t", input=PHOTO, scale="200%", output="storage://shop/large/"),
    "resize": lambda: ImageResizeOperator(task_id="t", input=STORED, width=800, name="small", output_format="avif"),
    "ai_edit": lambda: ImageAIEditOperator(task_id="t", input=[STORED], prompt="make it snow"),
    "ai_edit, all parameters": lambda: ImageAIEditOperator(
        task_id="t",
        input=PHOTO,
        prompt="make it snow ",
        model="v1",
        aspect_ratio="16:9",
        inference_steps="20",
        guidance_scale=3,
        number_of_images=2,
        output=BUCKET,
        output_format="jpeg",
        name="SNOW",
    ),
    "fashion": lambda: FashionModelOperator(task_id="t", clothing=STORED),
    "fashion, all parameters": lambda: FashionModelOperator(
        task_id="t",
        clothing=[PHOTO, STORED],
        model="storage://shop/in/person.png",
        pose="walking",
        background="a bright studio",
        aspect_ratio="3:4",
        number_of_images="2",
        output="storage://shop/worn/",
        output_format="jpeg",
        name="OUTFIT",
    ),
    "scene by a prompt": lambda: BackgroundGenerationOperator(task_id="t", input=STORED, prompt="make it snow"),
    "scene by a prompt, all parameters": lambda: BackgroundGenerationOperator(
        task_id="t",
        input=PHOTO,
        write_prompt=True,
        guidelines="warm light",
        position=(0.4, "0.6"),
        scale="0.5",
        rotation=30,
        color="white",
        aspect_ratio="4:3",
        negative_prompt="people",
        options={"model": "v2", "steps": "12", "preference": "best"},
        number_of_images=4,
        output=BUCKET,
        output_format={"type": "jpeg", "quality": 90},
        name="SNOW",
    ),
    "scene after a template": lambda: BackgroundGenerationOperator(
        task_id="t", input=STORED, template=[PHOTO], view="top", placement="original"
    ),
    "scene after a template, all parameters": lambda: BackgroundGenerationOperator(
        task_id="t",
        input=STORED,
        template="storage://shop/in/template.png",
        view="front",
        template_mode="lock",
        prompt="make it snow",
        padding="10%",
        color="white",
        negative_prompt="people",
        output="storage://shop/scenes/",
        output_format="tiff",
    ),
    "scene of an effect": lambda: BackgroundGenerationOperator(
        task_id="t", input=PHOTO, effect="shadows", color="#ffeedd", view="auto", aspect_ratio="1:1", output=BUCKET
    ),
    "video": lambda: ImageToVideoOperator(task_id="t", input=PHOTO, prompt="the wheels turn"),
    "video, all parameters": lambda: ImageToVideoOperator(
        task_id="t",
        input=STORED,
        duration="10",
        negative_prompt="people",
        guidance_scale=1,
        write_prompt="true",
        guidelines="slow and calm",
        output="s3://pictures/made/bike.mp4",
    ),
    "batch_edit of a list": lambda: ImageFolderEditOperator(
        task_id="t",
        input=[PHOTO, STORED],
        operations=SMALL,
        output="storage://shop/out/",
        output_format="png",
        metadata={"dpi": 72},
    ),
    "batch_edit of a folder": lambda: ImageFolderEditOperator(
        task_id="t", input="storage://shop/in/", operations=SMALL, output="storage://shop/out/", recursive=True
    ),
    "batch_edit of a folder that only Claid lists": lambda: ImageFolderEditOperator(
        task_id="t", input="storage://other/in/", operations=SMALL
    ),
}


class Client:
    """Knows one connected storage."""

    base_url = "https://api.claid.ai/v1"

    def list_storages(self) -> list[Storage]:
        return [Storage.model_validate({"id": 1, "name": "shop", "type": "s3", "parameters": {"bucket": "shop"}})]


def files_in(folder: str, *, recursive: bool) -> list[StoredFile]:
    """Two pictures, one of them in a folder of the folder."""
    return [StoredFile(folder + name, 9, "state", f"checksum of {name}") for name in ("deep/two.png", "one.png")]


def orders(operator: ClaidPayingOperator) -> list[Order]:
    """What an operator orders of api.claid.ai, where the storage ``shop`` is mapped and ``other`` is not."""
    client = Client()
    storages = ConnectedStorages(client, {"shop": "memory://pictures"})  # type: ignore[arg-type]
    operator.hook = SimpleNamespace(client=client, storages=storages, spending=lambda *_: None)  # type: ignore[assignment]
    return operator._orders()


def facts(order: Order) -> dict[str, Any]:
    """What may not change about an order: under what it is filed, what it asks, what it is called, what it sends."""
    call = order.prepared(2)
    sent = call.json or json.loads((call.form or {})["data"])
    return {"fingerprint": order.fingerprint, "body": order.body, "file": order.file_name(1), "sent": sent}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_order_is_filed_and_sent_as_before_orders_had_typed_requests(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_edit, "list_files", files_in)
    assert [facts(order) for order in orders(OPERATORS[name]())] == EXPECTED[name]


def test_the_file_has_what_is_ordered_and_nothing_else() -> None:
    assert EXPECTED.keys() == OPERATORS.keys()


def order_of(resizing: dict[str, Any]) -> Order:
    [order] = orders(ImageEditOperator(task_id="t", input=PHOTO, operations={"resizing": resizing}))
    return order


@pytest.mark.parametrize("fit", ["bounds", "cover", "canvas", "outpaint", {"type": "bounds"}])
def test_a_side_that_is_not_given_is_filed_as_auto_where_it_means_the_same(fit: Any) -> None:
    one_side, written_out = order_of({"width": 800, "fit": fit}), order_of({"width": 800, "height": "auto", "fit": fit})
    assert one_side.fingerprint == written_out.fingerprint
    assert facts(one_side)["sent"]["operations"] == {"resizing": {"width": 800, "fit": fit}}


@pytest.mark.parametrize("fit", [{}, {"fit": "crop"}, {"fit": {"type": "crop"}}])
def test_one_side_under_crop_is_another_request_than_with_auto(fit: dict[str, Any]) -> None:
    """Claid cuts the picture in the one, and keeps its proportions in the other."""
    one_side, proportional = order_of({"width": 800, **fit}), order_of({"width": 800, "height": "auto", **fit})
    assert one_side.fingerprint != proportional.fingerprint
    assert facts(one_side)["sent"]["operations"] == {"resizing": {"width": 800, **fit}}
    assert proportional.body["operations"] == {"resizing": {"width": 800, "height": "auto", **fit}}


@pytest.mark.parametrize("name", ["ai_edit", "fashion", "scene by a prompt", "scene after a template"])
def test_new_pictures_are_asked_for_in_the_format_that_their_files_are_named_after(name: str) -> None:
    [order] = orders(OPERATORS[name]())
    assert facts(order)["sent"]["output"]["format"] == "png"
    assert order.file_name(1).endswith(".png")
    assert "format" not in order.body["output"]
