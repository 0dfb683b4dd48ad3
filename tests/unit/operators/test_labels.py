"""Airflow's page calls mapped tasks by their names, and a template that renders a number fails no task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_claid.operators import ImageGenerationOperator
from tests.unit.operators.conftest import TaskInstance

NAMES = ["LAMP", "2002", "{{ braces }}", "it's", "{% raw %}", "None"]


def labelled(context: dict[str, Any]) -> Any:
    """Render as Airflow does when a task has ended."""
    template = context.get("map_index_template")
    return template and context["dag"].get_template_env().from_string(template).render(context)


def context_of(dag: DAG, operator: ImageGenerationOperator, **facts: Any) -> dict[str, Any]:
    return {"ti": TaskInstance(**facts), "dag": dag, "task": operator, "map_index_template": None}


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", NAMES[:5])
def test_a_mapped_task_is_called_by_its_name(name: str, native: bool) -> None:
    dag = DAG("shop", render_template_as_native_obj=native)
    operator = ImageGenerationOperator(task_id="lamps", prompt="A lamp", name=name)
    context: Any = context_of(dag, operator, map_index=1)
    operator.pre_execute(context)
    operator.post_execute(context)
    assert labelled(context) == name


def test_a_task_without_a_name_or_that_is_not_mapped_is_called_by_its_index() -> None:
    dag = DAG("shop")
    for name, index in ((None, 1), ("LAMP", -1), ("LAMP", None)):
        operator = ImageGenerationOperator(task_id="lamps", prompt="A lamp", name=name)
        context: Any = context_of(dag, operator, map_index=index)
        operator.pre_execute(context)
        assert labelled(context) is None


@pytest.mark.parametrize("native", [False, True])
def test_a_template_of_ones_own_goes_first_and_its_number_is_text(native: bool) -> None:
    dag = DAG("shop", render_template_as_native_obj=native)
    operator = ImageGenerationOperator(task_id="lamps", prompt="A lamp", name="LAMP")
    context: Any = context_of(dag, operator, map_index=1) | {"map_index_template": "{{ product.number }}"}
    operator.pre_execute(context)
    context["product"] = SimpleNamespace(number=2002)
    operator.post_execute(context)
    assert labelled(context) == "2002"
