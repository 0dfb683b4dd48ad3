from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, BaseOperator, ObjectStoragePath, task
from PIL import Image

from airflow_claid.operators import ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.support.deferring import run_through
from tests.unit.operators.conftest import NewTry, TaskInstance


def made(function: Callable[..., Any], *arguments: Any, **parameters: Any) -> BaseOperator:
    """The operator that the decorator makes of a function, called with these arguments."""
    with DAG("shop", schedule=None):
        operator: BaseOperator = task.claid_edit(**parameters)(function)(*arguments).operator
    return operator


def narrow(width: int) -> Mapping[str, Any]:
    """A function whose annotation would have Airflow take the result apart, if it were let."""
    return {"resizing": {"width": width, "height": "auto", "fit": "bounds"}}


@pytest.fixture
def picture(sandbox: Sandbox, new_try: NewTry) -> str:
    (link,) = new_try()(ImageGenerationOperator(task_id="g", prompt="A blue vase"))
    return str(link)


def test_the_operations_that_a_function_returns_are_done(picture: str, new_try: NewTry, tmp_path: Path) -> None:
    operator = made(narrow, 200, input=picture, output=f"file://{tmp_path}/", output_format="png", name="vase")
    assert not operator.multiple_outputs
    run = new_try()
    assert run(operator) == [f"file://{tmp_path}/vase.png"]
    with ObjectStoragePath(f"file://{tmp_path}/vase.png").open("rb") as file, Image.open(file) as image:
        assert image.size == (200, 200)
    assert run.credits == 1
    assert new_try(run_id="tuesday")(operator) == [f"file://{tmp_path}/vase.png"]


def test_the_input_may_be_an_upstream_task() -> None:
    with DAG("shop", schedule=None):
        generate = ImageGenerationOperator(task_id="generate", prompt="A blue vase")

        @task.claid_edit(input=generate.output)
        def edited() -> Mapping[str, Any]:
            return narrow(200)

        operator = edited().operator
        mapped = task.claid_edit(input=generate.output)(narrow).expand(width=[100, 200]).operator
    assert operator.upstream_task_ids == mapped.upstream_task_ids == {"generate"}


@pytest.mark.parametrize("kept", [True, False])
def test_after_a_wait_in_the_triggerer_it_is_the_edit_that_was_paid(
    kept: bool, picture: str, sandbox: Sandbox, new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def operations() -> Mapping[str, Any]:
        calls.append(1)
        return narrow(100 * len(calls)) if kept else narrow(100)

    def build() -> BaseOperator:
        return made(operations, input=picture, output=f"file://{tmp_path}/", name="vase", deferrable=True)

    if not kept:
        resume = BaseOperator.resume_execution

        def without(self: BaseOperator, method: str, kwargs: dict[str, Any], context: Any) -> Any:
            return resume(self, method, {"event": kwargs["event"]}, context)

        monkeypatch.setattr(BaseOperator, "resume_execution", without)
    before = sandbox.charged()
    paths = run_through(build, {"ti": TaskInstance()})
    with ObjectStoragePath(paths[0]).open("rb") as file, Image.open(file) as image:
        assert image.size == (100, 100)
    assert sandbox.charged() - before == 1
    assert len(calls) == (1 if kept else 2)


@pytest.mark.parametrize("returned", [None, "resizing", ["resizing"], 7])
def test_a_wrong_return_value_is_refused_with_the_function_s_name(
    returned: object, picture: str, sandbox: Sandbox, new_try: NewTry
) -> None:
    def smaller() -> object:
        return returned

    with pytest.raises(AirflowFailException, match=r"@task\.claid_edit: the function 'smaller' returned .*operations"):
        new_try()(made(smaller, input=picture))
    assert sandbox.charged() == 1


def test_operations_that_claid_does_not_have_are_refused_before_any_credit(
    picture: str, sandbox: Sandbox, new_try: NewTry
) -> None:
    with pytest.raises(AirflowFailException, match=r"operations\.sharpness=3"):
        new_try()(made(lambda: {"sharpness": 3}, task_id="e", input=picture))
    assert sandbox.charged() == 1


def test_mistakes_show_when_the_dag_is_parsed() -> None:
    with pytest.raises(TypeError, match="takes no 'operations'"):
        task.claid_edit(input="https://pictures.example.com/a.png", operations={})
    with pytest.raises(TypeError, match="needs an input"):
        task.claid_edit(output="file:///tmp/")
