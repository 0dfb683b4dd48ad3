"""What is refused before it is sent: the message names the parameter, the value and the remedy."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest

from airflow_claid.client import (
    AIEditRequest,
    ClaidClient,
    ClaidValidationError,
    EditRequest,
    GenerateRequest,
    SceneRequest,
    UploadRequest,
    VideoRequest,
)
from airflow_claid.sandbox import Sandbox

PROMPT = "a red bicycle"
LINK = "https://shop.example/a.png"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"prompt": "ab"}, ["prompt='ab'", "has 2 characters", "3 to 1024", "describe the picture"]),
        ({"prompt": ""}, ["prompt=''", "has 0 characters"]),
        ({"prompt": "  a \n"}, ["prompt='  a \\n'", "has 1 characters"]),
        ({"prompt": "x" * 1025}, ["prompt='xxx", "(1025 characters)", "shorten it by 1."]),
        ({"prompt": None}, ["prompt=None", "must be a text, not NoneType"]),
        ({"prompt": ["a red bicycle"]}, ["prompt=", "not list", ".expand(prompt=…)"]),
        ({"prompt": "None"}, ["prompt='None'", "is what an empty value looks like"]),
        ({"prompt": " nan "}, ["prompt=' nan '", "is what an empty value looks like"]),
        ({"prompt": "NULL"}, ["prompt='NULL'", "is what an empty value looks like"]),
        ({"prompt": "undefined"}, ["prompt='undefined'", "is what an empty value looks like"]),
        ({"prompt": "\u200b\u200b\u2060\ufeff"}, ["has 0 characters", "3 to 1024"]),
        ({"prompt": "\u200b   \u200b"}, ["has 0 characters"]),
        ({"prompt": "a\u200b\u200bb"}, ["has 2 characters"]),
        ({"prompt": "A chair\0 of oak"}, ["holds a NUL character"]),
        ({"prompt": "A chair \ud83d"}, ["half of a character"]),
        ({"prompt": "file:///data/part-00000.csv"}, ["is an address, not a description"]),
        ({"prompt": "HTTPS://shop.example/a.png"}, ["is an address"]),
        ({"prompt": "['a lamp', 'a vase']"}, ["a list or a dict", "render_template_as_native_obj=True"]),
        ({"prompt": '{"prompt": "a lamp"}'}, ["a list or a dict"]),
        ({"number_of_images": 0}, ["number_of_images=0", "must be 1 to 4", "send more requests"]),
        ({"number_of_images": 5}, ["number_of_images=5", "must be 1 to 4"]),
        ({"number_of_images": True}, ["number_of_images=True", "valid integer"]),
        ({"number_of_images": "2"}, ["number_of_images='2'", "valid integer"]),
        ({"number_of_images": 2.5}, ["number_of_images=2.5", "integer"]),
        ({"number_of_images": math.nan}, ["number_of_images=nan", "must be 1 to 4"]),
        ({"guidance_scale": 0.5}, ["guidance_scale=0.5", "at least 1 and below 50", "default is 5"]),
        ({"guidance_scale": 50}, ["guidance_scale=50", "below 50"]),
        ({"guidance_scale": math.nan}, ["guidance_scale=nan", "below 50"]),
        ({"guidance_scale": math.inf}, ["guidance_scale=inf", "below 50"]),
        ({"guidance_scale": True}, ["guidance_scale=True", "valid number"]),
        ({"guidance_scale": "5"}, ["guidance_scale='5'", "valid number"]),
        ({"output": "storage://shop/spring"}, ["output='storage://shop/spring'", "use 'storage://shop/spring/'"]),
        (
            {"output": "storage://shop/spring/a.png"},
            ["output='storage://shop/spring/a.png'", "names a file", "use the folder 'storage://shop/spring/'"],
        ),
        ({"output": "shop/spring/"}, ["output='shop/spring/'", "storage://NAME/PATH"]),
        ({"output": "storage://"}, ["output='storage://'", "ends with '/'"]),
        ({"output": "storage://shop/" + "x" * 4096 + "/"}, ["output=", "at most 4096 characters"]),
        ({"output": 5}, ["output=5", "valid string"]),
    ],
)
def test_a_wrong_generation_is_told_by_parameter_value_and_remedy_and_not_sent(
    claid: ClaidClient, sandbox: Sandbox, arguments: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(ClaidValidationError) as caught:
        claid.generate_image(**{"prompt": PROMPT, **arguments})
    for part in (*said, "Nothing was sent, nothing was charged"):
        assert part in str(caught.value)
    assert caught.value.details
    assert not caught.value.may_have_been_charged
    assert not caught.value.retryable
    assert sandbox.ledger() == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "abc"},
        {"prompt": "x" * 1024},
        {"prompt": " " * 50 + "x" * 1024 + "\n"},
        {"prompt": "自転車"},
        {"number_of_images": 4},
        {"number_of_images": 2.0},
        {"guidance_scale": 1},
        {"guidance_scale": 49.999},
    ],
)
def test_what_lies_at_a_limit_is_sent(claid: ClaidClient, sandbox: Sandbox, arguments: dict[str, Any]) -> None:
    claid.generate_image(**{"prompt": PROMPT, **arguments})
    [entry] = sandbox.ledger()
    assert entry.status == 200
    assert entry.prompt == arguments.get("prompt", PROMPT).strip()


@pytest.mark.parametrize(
    "prompt", ["101", "a b", "自転車", "👩‍👩‍👧 at sea", "[red] chair", "{{ ds }} chair", "see https://shop.example/a"]
)
def test_a_short_or_odd_description_is_still_one(prompt: str) -> None:
    assert GenerateRequest.of(prompt).input == prompt


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ClaidValidationError) as caught:
        GenerateRequest.of("a", number_of_images=9, guidance_scale=99, output="spring")
    assert set(caught.value.details) == {"prompt='a'", "number_of_images=9", "guidance_scale=99", "output='spring'"}


def test_a_long_value_is_shown_cut(claid: ClaidClient) -> None:
    with pytest.raises(ClaidValidationError) as caught:
        claid.generate_image("secret plan " * 500)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ({"resize": {"width": 5}}, ["operations.resize", "is not a parameter of Claid"]),
        ({"sharpness": 5}, ["operations.sharpness=5", "put it into adjustments"]),
        ({"resizing": {"widht": 5}}, ["operations.resizing.widht", "is not a parameter"]),
        ({"restorations": {"upscale": "huge"}}, ["operations.restorations.upscale='huge'", "smart_enhance"]),
        ({"restorations": {"upscale": {"type": "photo", "version": "9"}}}, ["upscale.version='9'", "'1', '2' or '3'"]),
        ({"restorations": {"polish": "yes"}}, ["polish='yes'", "valid boolean"]),
        ({"adjustments": {"hdr": 101}}, ["operations.adjustments.hdr=101", "less than or equal to 100"]),
        ({"adjustments": {"hdr": {"intensity": -1}}}, ["hdr.intensity=-1", "greater than or equal to 0"]),
        ({"adjustments": {"exposure": -101}}, ["exposure=-101", "greater than or equal to -100"]),
        ({"adjustments": {"contrast": 1.5}}, ["contrast=1.5", "integer"]),
        ({"background": {"color": "red"}}, ["operations.background.color='red'", "'#ffffff'", "'transparent'"]),
        ({"background": {"remove": {"selective": {"object_to_keep": "ab"}}}}, ["object_to_keep='ab'", "at least 3"]),
        ({"background": {"blur": {"level": "much"}}}, ["blur.level='much'", "'low', 'medium' or 'high'"]),
        ({"resizing": {"width": 0}}, ["width=0", "at least 1 pixel"]),
        ({"resizing": {"width": True}}, ["width=True", "pixels (800), a percentage ('200%') or 'auto'"]),
        ({"resizing": {"width": "wide"}}, ["width='wide'", "'200%'"]),
        ({"resizing": {}}, ["cannot both be 'auto'"]),
        (
            {"resizing": {"width": "200%", "height": 300}},
            ["a percentage goes with 'auto'", "width='200%', height='auto'"],
        ),
        ({"resizing": {"width": 9, "fit": "squeeze"}}, ["fit='squeeze'", "'crop', 'cover'"]),
        ({"resizing": {"width": 9, "fit": {"type": "outpaint", "feathering": "x"}}}, ["feathering='x'"]),
        ({"generative": {"style_transfer": {}}}, ["style_reference_image", "required"]),
        (
            {"generative": {"style_transfer": {"style_reference_image": LINK, "style_strength": math.nan}}},
            ["style_strength=nan"],
        ),
        ("resize", ["operations='resize'"]),
    ],
)
def test_wrong_operations_are_told_by_their_path_and_not_sent(
    claid: ClaidClient, sandbox: Sandbox, operations: Any, said: list[str]
) -> None:
    for call in (
        lambda: claid.edit_image(LINK, operations),
        lambda: claid.submit_edit(LINK, operations),
        lambda: claid.upload_and_edit(b"bytes", operations),
    ):
        with pytest.raises(ClaidValidationError) as caught:
            call()
        for part in (*said, "Nothing was sent, nothing was charged"):
            assert part in str(caught.value)
    assert sandbox.ledger() == []


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"format": "gif"}, ["output.format='gif'", "'jpeg', 'png'"]),
        ({"format": {"type": "jpeg", "quality": 0}}, ["quality=0", "greater than or equal to 1"]),
        ({"format": {"type": "png", "quality": 5}}, ["quality", "is not a parameter"]),
        ({"format": {"type": "webp", "compression": {"type": "lossy", "quality": 101}}}, ["quality=101"]),
        ({"destination": "a.png"}, ["output.destination='a.png'", "storage://NAME/PATH"]),
        ({"metadata": {"color_space": {"type": "CMYK", "color_profile": "mine"}}}, ["color_profile='mine'"]),
        ({"metadata": {"dpi": "300"}}, ["dpi='300'"]),
        ({"folder": "x"}, ["output.folder", "is not a parameter"]),
        ("a.png", ["output='a.png'", "storage://NAME/PATH"]),
    ],
)
def test_a_wrong_output_of_an_edit_is_told_by_its_path(output: Any, said: list[str]) -> None:
    for build in (
        lambda: EditRequest.of(LINK, {"resizing": {"width": 9}}, output),
        lambda: UploadRequest.of({"resizing": {"width": 9}}, output),
    ):
        with pytest.raises(ClaidValidationError) as caught:
            build()
        for part in said:
            assert part in str(caught.value)


@pytest.mark.parametrize("address", ["", "a.png", "/srv/a.png", 5, None, "https://" + "x" * 4096])
def test_an_input_that_is_no_address_is_refused(address: Any) -> None:
    with pytest.raises(ClaidValidationError, match=r"^input="):
        EditRequest.of(address, {"resizing": {"width": 9}})


@pytest.mark.parametrize("key", ["", "  ", "ключ", "two words", "line\nbreak", "nul\0"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ClaidValidationError, match="api_key is empty or holds characters that no key has") as caught:
        ClaidClient(key)
    assert not key.strip() or key not in str(caught.value)


def test_a_request_cannot_be_changed_once_it_is_checked() -> None:
    request = GenerateRequest.of(PROMPT)
    with pytest.raises(ValueError, match="frozen"):
        request.input = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    "operations",
    [
        {"relight": {"from": "left", "strength": 0.5}},
        {"relight": True, "padding": "10%"},
        {"resizing": {"focus": "face"}},
        {"resizing": {"width": 90, "fit": {"type": "crop", "focus": [0.5, 0.5]}}},
        {"background": {"remove": {"edges": "soft"}}},
        {"generative": {"style_transfer": {"style_reference_image": LINK, "seed": 7}}},
    ],
)
def test_an_operation_that_is_not_known_yet_is_sent_as_it_is_with_a_warning(
    operations: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for request in (EditRequest.of(LINK, operations), UploadRequest.of(operations)):
            assert request.to_json()["operations"] == operations
    assert "it is sent all the same" in caplog.text


@pytest.mark.parametrize("value", [{1, 2}, math.nan, [b"bytes"], {"a": object()}, "half \ud800"])
def test_an_unknown_operation_that_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(ClaidValidationError, match=r"operations\.relight=.*is no JSON"):
        EditRequest.of(LINK, {"relight": value})


@pytest.mark.parametrize(
    "resizing",
    [
        {"width": 1000},
        {"height": "50%"},
        {"width": 1000, "height": "auto"},
        {"width": 1000, "fit": "crop"},
        {"height": 90, "fit": {"type": "crop", "crop": "smart"}},
        {"width": 1000, "fit": "bounds"},
        {"fit": {"type": "outpaint", "outpaint_by": "10%"}},
    ],
)
def test_a_side_that_is_not_given_is_not_sent(resizing: dict[str, Any]) -> None:
    for request in (EditRequest.of(LINK, {"resizing": resizing}), UploadRequest.of({"resizing": resizing})):
        assert request.to_json()["operations"] == {"resizing": resizing}


@pytest.mark.parametrize(
    "resizing",
    [
        {"width": "150%", "height": "100%", "fit": "outpaint"},
        {"width": "150%", "height": "100%", "fit": {"type": "outpaint", "feathering": "20%"}},
        {"width": "150%", "height": 900, "fit": "outpaint"},
        {"width": 800, "fit": {"crop": "smart"}},
    ],
)
def test_a_size_on_which_the_sources_disagree_is_sent_with_a_warning(
    resizing: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert EditRequest.of(LINK, {"resizing": resizing}).to_json()["operations"]["resizing"] == resizing
    assert "pages disagree" in caplog.text


@pytest.mark.parametrize("option", [{"guidance_scale": 2.5}, {"inference_steps": 9}])
@pytest.mark.parametrize("model", [{}, {"model": "v2"}])
def test_options_of_model_v1_are_sent_with_v2_with_a_warning(
    option: dict[str, Any], model: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    options = {"prompt": "more light", **model, **option}
    with caplog.at_level(logging.WARNING):
        assert AIEditRequest.of(LINK, options).to_json()["options"] == options
    assert "with model v2" in caplog.text
    caplog.clear()
    AIEditRequest.of(LINK, {**options, "model": "v1"})
    assert not caplog.text


@pytest.mark.parametrize(("ratio", "doubted"), [("4:3", False), ("7:4", True), ("19:13", True)])
@pytest.mark.parametrize("scene", [{"prompt": "on a table"}, {"effect": "shadows"}])
def test_a_scene_ratio_that_only_some_sources_name_is_sent_with_a_warning(
    scene: dict[str, Any], ratio: str, doubted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        request = SceneRequest.of({"image_url": LINK}, {**scene, "aspect_ratio": ratio})
    assert request.to_json()["scene"]["aspect_ratio"] == ratio
    assert ("pages disagree" in caplog.text) is doubted


@pytest.mark.parametrize("ratio", ["wide", "4/3", "0:1", "4:3 ", "1:1000", ""])
def test_what_is_no_ratio_is_refused(ratio: str) -> None:
    with pytest.raises(ClaidValidationError, match=r"aspect_ratio=.*must be a ratio of width to height"):
        SceneRequest.of({"image_url": LINK}, {"prompt": "on a table", "aspect_ratio": ratio})


@pytest.mark.parametrize(("duration", "sent"), [(5, "5"), (10, "10"), (5.0, "5"), ("10", "10")])
def test_the_seconds_of_a_video_may_be_a_number(duration: Any, sent: str) -> None:
    request = VideoRequest.of(LINK, {"prompt": "it turns", "duration": duration})
    assert request.to_json()["options"]["duration"] == sent
    assert request.seconds == int(sent)


@pytest.mark.parametrize("duration", [6, 0, True, "5s", 5.5, "5.0", [5]])
def test_other_seconds_of_a_video_are_refused(duration: Any) -> None:
    with pytest.raises(ClaidValidationError, match="duration="):
        VideoRequest.of(LINK, {"prompt": "it turns", "duration": duration})


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("storage://shop/in/50% off.png", "storage://shop/in/50%25%20off.png"),
        ("storage://shop/in/50%25%20off.png", "storage://shop/in/50%25%20off.png"),
        ("storage://shop/in/100%.png", "storage://shop/in/100%25.png"),
        ("storage://shop/in/chair#1.png", "storage://shop/in/chair%231.png"),
        ("storage://shop/in/really?.png", "storage://shop/in/really%3F.png"),
        ("storage://shop/größe/a b.png", "storage://shop/gr%C3%B6%C3%9Fe/a%20b.png"),
        ("https://shop.example/50% off.png?q=90%#top", "https://shop.example/50%25%20off.png?q=90%25#top"),
        ("https://shop.example/a%20b.png?x=%2F", "https://shop.example/a%20b.png?x=%2F"),
    ],
)
def test_every_escape_in_an_address_that_is_sent_is_valid(address: str, sent: str) -> None:
    body = EditRequest.of(address, {"padding": "10%"}, {"destination": address}).to_json()
    assert (body["input"], body["output"]["destination"]) == (sent, sent)
