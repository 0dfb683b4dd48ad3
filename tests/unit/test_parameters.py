from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator

from airflow_claid.client.models.base import UNKNOWN
from airflow_claid.parameters import given, known


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
