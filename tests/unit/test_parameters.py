from __future__ import annotations

import inspect
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.sdk import DAG, BaseOperator, ObjectStoragePath

from airflow_claid import operators
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.models.base import UNKNOWN
from airflow_claid.operators import (
    BackgroundGenerationOperator,
    ImageEditOperator,
    ImageFolderEditOperator,
    ImageGenerationOperator,
)
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.parameters import (
    format_or_options,
    given,
    is_literal,
    known,
    metadata_of,
    number,
    paths,
    sides_as_numbers,
)


class Task(BaseOperator):
    """A task with a parameter of each kind."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = "make it snow"
        self.template = "{{ params.prompt }}"
        self.upstream = BaseOperator(task_id="upstream").output
        self.options = {"quality": 90, "type": "{{ params.type }}"}
        self.missing = None


NAMES = ("text", "template", "upstream", "options", "missing")


def test_when_a_dag_is_parsed_only_literals_are_known() -> None:
    assert known(Task(task_id="t"), NAMES) == {
        "text": "make it snow",
        "template": UNKNOWN,
        "upstream": UNKNOWN,
        "options": UNKNOWN,
        "missing": None,
    }


def test_when_a_task_runs_each_parameter_is_what_it_is_though_it_looks_like_a_template() -> None:
    task = Task(task_id="t")
    assert given(task, ("text", "template", "options")) == {
        "text": "make it snow",
        "template": "{{ params.prompt }}",
        "options": {"quality": 90, "type": "{{ params.type }}"},
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", 2), (" 7.5 ", 7.5), (Decimal(2), 2), (np.int64(2), 2), ("two", "two"), (True, True)],
)
def test_a_number_of_a_template_or_a_warehouse_is_one_of_pythons(value: object, expected: object) -> None:
    assert number(value) == expected
    assert type(number(value)) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ObjectStoragePath("file:///srv/a.png"), ["file:///srv/a.png"]),
        (
            [ObjectStoragePath("file:///srv/a.png"), "storage://shop/b.png"],
            ["file:///srv/a.png", "storage://shop/b.png"],
        ),
        (Path("/srv/a.png"), ["file:///srv/a.png"]),
        ("['s3://b/a.png', 's3://b/b.png']", ["s3://b/a.png", "s3://b/b.png"]),
    ],
)
def test_a_path_object_is_a_path(value: object, expected: list[str]) -> None:
    assert is_literal(value)
    assert paths(value, "input") == expected


def test_a_path_object_may_hold_a_template() -> None:
    assert not is_literal([ObjectStoragePath("file:///srv/{{ ds }}/a.png")])


def test_a_dict_that_a_template_rendered_to_text_is_a_dict() -> None:
    assert sides_as_numbers("{'resizing': {'width': '800', 'fit': \"{'crop': 'smart'}\"}}") == {
        "resizing": {"width": 800, "fit": {"crop": "smart"}}
    }
    assert format_or_options("{'type': 'jpeg', 'quality': 90}") == {"type": "jpeg", "quality": 90}
    assert format_or_options('{"type": "png"}') == {"type": "png"}
    assert format_or_options("jpeg") == "jpeg"
    assert metadata_of("{'dpi': 300}") == {"dpi": 300}
    assert metadata_of("None") is metadata_of("") is None


@pytest.mark.parametrize("text", ["{'type': jpeg", "{type: 'jpeg'}", "{1: 2}", "{'jpeg'}"])
def test_a_text_that_is_nearly_a_dict_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ClaidValidationError, match=r"output_format=.* must be a dict such as \{'type': 'jpeg'"):
        format_or_options(text)
    with pytest.raises(ClaidValidationError, match=r"operations=.* must be a dict such as \{'resizing'"):
        sides_as_numbers(text)


def test_the_operators_read_dicts_from_text() -> None:
    edit = ImageEditOperator(
        task_id="edit",
        input="https://shop.example/a.png",
        operations="{'resizing': {'width': 800}}",  # type: ignore[arg-type]
        output_format="{'type': 'jpeg', 'quality': 90}",
        metadata="{'dpi': 300}",  # type: ignore[arg-type]
    )
    assert edit.operations == "{'resizing': {'width': 800}}"
    ImageFolderEditOperator(
        task_id="folder",
        input="storage://shop/a/",
        operations='{"resizing": {"width": 800}}',  # type: ignore[arg-type]
        output="storage://shop/b/",
        output_format="{'type': 'jpeg', 'quality': 80}",
    )
    BackgroundGenerationOperator(
        task_id="scene",
        input="https://shop.example/a.png",
        prompt="on a beach",
        options="{'preference': 'best'}",  # type: ignore[arg-type]
        position="(0.5, 0.6)",  # type: ignore[arg-type]
    )


PICTURE = {"input": "https://shop.example/a.png"}
PICTURES = {"input": "s3://shop/photos/", "output": "s3://shop/edited/"}
NEEDED: dict[type[ClaidPayingOperator], dict[str, Any]] = {
    operators.ImageGenerationOperator: {"prompt": "A lamp"},
    operators.ImageGenerationBatchOperator: {"prompts": ["A lamp"], "output": "s3://shop/"},
    operators.ImageEditOperator: {**PICTURE, "operations": {"resizing": {"width": 800}}},
    operators.ImageUpscaleOperator: PICTURE,
    operators.ImageResizeOperator: {**PICTURE, "width": 800},
    operators.ImageFolderEditOperator: {**PICTURE, "operations": {"resizing": {"width": 800}}},
    operators.ImageAIEditOperator: {**PICTURE, "prompt": "make it snow"},
    operators.FashionModelOperator: {"clothing": ["https://shop.example/a.png"]},
    operators.BackgroundGenerationOperator: {**PICTURE, "prompt": "on a beach"},
    operators.ImageToVideoOperator: {**PICTURE, "prompt": "a slow turn"},
    operators.ImageEditBatchOperator: {**PICTURES, "operations": {"resizing": {"width": 800}}},
    operators.ImageUpscaleBatchOperator: PICTURES,
    operators.ImageResizeBatchOperator: {**PICTURES, "width": 800},
    operators.ImageAIEditBatchOperator: {**PICTURES, "prompt": "make it snow"},
    operators.FashionModelBatchOperator: {"clothing": "s3://shop/garments/", "output": "s3://shop/worn/"},
    operators.BackgroundGenerationBatchOperator: {**PICTURES, "prompt": "on a beach"},
    operators.ImageToVideoBatchOperator: {**PICTURES, "prompt": "a slow turn"},
}


@pytest.mark.parametrize("kind", NEEDED, ids=lambda kind: kind.__name__)
def test_none_stands_for_the_default_of_each_parameter(kind: type[ClaidPayingOperator]) -> None:
    optional = [
        name
        for parent in kind.mro()
        if issubclass(parent, ClaidPayingOperator)
        for name, one in inspect.signature(parent.__init__).parameters.items()
        if one.default is not one.empty and name != "operations"
    ]
    plain = kind(task_id="plain", **NEEDED[kind])
    with_none = kind(task_id="with_none", **{**dict.fromkeys(optional), **NEEDED[kind]})
    assert optional
    for name in kind.template_fields:
        assert getattr(with_none, name) == getattr(plain, name), name


def test_each_paying_operator_is_tried_with_none() -> None:
    exported = (value for value in (getattr(operators, name) for name in operators.__all__) if inspect.isclass(value))
    assert {one for one in exported if issubclass(one, ClaidPayingOperator)} == set(NEEDED)


def test_a_row_of_expand_kwargs_may_leave_a_cell_empty() -> None:
    with DAG("shop", schedule=None):
        mapped = ImageGenerationOperator.partial(task_id="pictures").expand_kwargs([{"prompt": "A lamp"}])
    operator = mapped.operator_class(
        task_id="pictures", prompt="A lamp", number_of_images=None, guidance_scale=None, on_blocked=None, name=None
    )
    assert (operator.number_of_images, operator.guidance_scale, operator.on_blocked) == (1, 5.0, "fail")
