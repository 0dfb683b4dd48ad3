from __future__ import annotations

from typing import Any

import pytest

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.models.ai_edit import AIEditOptions, AIEditRequest
from airflow_claid.client.models.base import UNKNOWN, check_known
from airflow_claid.client.models.creation import CreatedOutput
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.generate import GenerateRequest
from airflow_claid.client.models.scene import SceneOutput
from airflow_claid.client.models.video import VideoOptions


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (AIEditOptions, {"prompt": UNKNOWN}),
        (AIEditOptions, {"prompt": "more light", "model": UNKNOWN, "aspect_ratio": "1:1"}),
        (VideoOptions, {"prompt": UNKNOWN, "duration": UNKNOWN, "guidance_scale": UNKNOWN}),
        (VideoOptions, {"prompt": {"generate": True, "text": UNKNOWN, "guidelines": UNKNOWN}}),
        (SceneOutput, {"number_of_images": UNKNOWN, "format": UNKNOWN, "destination": UNKNOWN}),
        (GenerateRequest, {"input": UNKNOWN, "options": {"number_of_images": UNKNOWN, "guidance_scale": UNKNOWN}}),
    ],
)
def test_what_is_not_known_is_passed_over(model: Any, values: dict[str, Any]) -> None:
    check_known(model, values)


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (AIEditOptions, {"prompt": UNKNOWN, "model": "v3"}, "model='v3'"),
        (VideoOptions, {"prompt": UNKNOWN, "duration": "7"}, "duration='7'"),
        (CreatedOutput, {"number_of_images": 5, "format": UNKNOWN}, "number_of_images=5"),
        (GenerateRequest, {"input": UNKNOWN, "options": {"seed": 1}}, "options.seed=1"),
    ],
)
def test_what_is_known_is_checked_beside_what_is_not(model: Any, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ClaidValidationError, match=said) as refused:
        check_known(model, values)
    assert len(refused.value.details) == 1


def test_values_that_go_together_are_checked_beside_a_prompt_that_is_not_known() -> None:
    with pytest.raises(ClaidValidationError, match="works with model v1 only"):
        check_known(AIEditRequest, {"input": UNKNOWN, "options": {"prompt": UNKNOWN, "aspect_ratio": "1:1"}})


@pytest.mark.parametrize("output", [CreatedOutput(format="png"), ImageOutput(format="png"), SceneOutput(format="png")])
def test_an_output_is_the_same_at_another_destination(output: CreatedOutput | ImageOutput | SceneOutput) -> None:
    there = output.written_to("storage://shop/a b/")
    assert type(there) is type(output)
    assert there.to_json() == {**output.to_json(), "destination": "storage://shop/a%20b/"}
    assert there.written_to(None) == output
    with pytest.raises(ClaidValidationError, match=r"output.destination='shop': must be an address"):
        output.written_to("shop")
