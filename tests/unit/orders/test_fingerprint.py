from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client import GenerateRequest
from airflow_claid.orders.fingerprint import fingerprint
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.storage.places import generation_place

WHOLE: dict[str, Any] = {
    "base_url": "https://api.claid.ai/v1",
    "operation": "generate_image",
    "body": {"input": "a red bicycle", "options": {"number_of_images": 1, "guidance_scale": 5.0}},
    "place": {"folder": "s3://bucket/spring/", "file": None, "name": "SKU-1"},
}


def backwards(value: Any) -> Any:
    """The same JSON with the keys of every object the other way round."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return value


def test_it_is_the_same_in_every_process_and_release() -> None:
    """A receipt that is written today must be found by every later version: this value may never change."""
    assert fingerprint(**WHOLE) == "52298e7d706b738fc70150565c3d56f6596e8fef32d5edb38efb845ec07011dc"
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(**WHOLE))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_order_of_keys_does_not_matter(value: Any) -> None:
    body = {"a": value, "b": 1}
    assert fingerprint(**{**WHOLE, "body": body}) == fingerprint(**{**WHOLE, "body": backwards(body)})


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "http://127.0.0.1:8765/v1"},
        {"operation": "edit_image"},
        {"body": {"input": "a blue bicycle", "options": {"number_of_images": 1, "guidance_scale": 5.0}}},
        {"body": {"input": "a red bicycle", "options": {"number_of_images": 2, "guidance_scale": 5.0}}},
        {"body": {"input": "a red bicycle", "options": {"number_of_images": 1, "guidance_scale": 5.1}}},
        {"body": {"input": "a red bicycle"}},
        {"place": {"folder": "s3://bucket/summer/", "file": None, "name": "SKU-1"}},
        {"place": {"folder": "s3://bucket/spring/", "file": "a.png", "name": "SKU-1"}},
        {"place": {"folder": "s3://bucket/spring/", "file": None, "name": "SKU-2"}},
        {"place": {"folder": "s3://bucket/spring/", "file": None, "name": None}},
    ],
)
def test_it_changes_with_all_that_makes_a_request_what_it_is(change: dict[str, Any]) -> None:
    assert fingerprint(**{**WHOLE, **change}) != fingerprint(**WHOLE)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_json_has_no_fingerprint(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(**{**WHOLE, "body": {"guidance_scale": number}})


def order(prompt: str, output: str = "s3://bucket/spring/", **options: Any) -> GenerateOrder:
    request = GenerateRequest.of(prompt, **options)
    return GenerateOrder(
        base_url="https://api.claid.ai/v1", place=generation_place(output), name="SKU-1", request=request
    )


def test_an_order_is_the_same_however_it_is_written() -> None:
    same = [
        order("a red bicycle", number_of_images=1, guidance_scale=5.0),
        order(" a red bicycle\n", guidance_scale=5),
        order("a red bicycle", "s3://bucket/spring", number_of_images=1.0),
    ]
    assert len({one.fingerprint for one in same}) == 1
    assert order("a red bicycle.").fingerprint != same[0].fingerprint
