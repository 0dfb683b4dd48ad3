from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, BaseOperator, task

from airflow_claid.sandbox import Sandbox
from tests.support.dialects import redirect
from tests.unit.operators.conftest import NewTry

BLOCKED = "A blocked-example of a vase"


def made(function: Callable[..., Any], *arguments: Any, **parameters: Any) -> BaseOperator:
    """The operator that the decorator makes of a function, called with these arguments."""
    with DAG("shop", schedule=None):
        operator: BaseOperator = task.claid_image(**parameters)(function)(*arguments).operator
    return operator


def asked(sandbox: Sandbox) -> list[str]:
    return [entry.request["input"] for entry in sandbox.ledger("generate_image")]


def test_the_prompt_that_a_function_returns_is_generated(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    def sofa(colour: str) -> str:
        return f"A {colour} sofa"

    run = new_try()
    paths = run(made(sofa, "green", output=f"file://{tmp_path}/", name="SOFA", number_of_images=2))
    assert paths == [f"file://{tmp_path}/SOFA_1.png", f"file://{tmp_path}/SOFA_2.png"]
    assert asked(sandbox) == ["A green sofa"]
    assert [image["prompt"] for image in run.images] == ["A green sofa"] * 2
    assert run.credits == sandbox.charged() == 2


def test_without_parentheses_it_works_as_well(sandbox: Sandbox, new_try: NewTry) -> None:
    with DAG("shop", schedule=None):

        @task.claid_image
        def sofa() -> str:
            return "A plain sofa"

        operator = sofa().operator
    assert operator.task_id == "sofa"
    assert len(new_try()(operator)) == 1


def test_what_is_returned_is_no_template_and_the_arguments_are(sandbox: Sandbox, new_try: NewTry) -> None:
    def sofa(day: str) -> str:
        return f"A sofa of {day}, {{{{ ds }}}}"

    operator = made(sofa, "{{ ds }}")
    operator.render_template_fields({"ds": "2026-10-01"})
    new_try()(operator)
    assert asked(sandbox) == ["A sofa of 2026-10-01, {{ ds }}"]


def test_a_function_gets_what_it_asks_for_of_the_context(sandbox: Sandbox, new_try: NewTry) -> None:
    def sofa(colour: str, ti: Any = None) -> str:
        return f"A {colour} sofa for {ti.dag_id}"

    def lamp(colour: str, **context: Any) -> str:
        return f"A {colour} lamp for {context['ti'].dag_id}"

    new_try()(made(sofa, "red"))
    new_try()(made(lamp, "blue"))
    assert asked(sandbox) == ["A red sofa for shop", "A blue lamp for shop"]


def test_a_list_of_prompts_is_paid_one_by_one_and_given_in_its_order(sandbox: Sandbox, new_try: NewTry) -> None:
    prompts = ["A blue vase", "A red vase", " A blue vase ", BLOCKED]
    run = new_try()
    links = run(made(lambda: prompts, task_id="vases"))
    assert sorted(asked(sandbox)) == sorted(["A blue vase", "A red vase", BLOCKED])
    assert [image["path"] for image in run.images if not image["blocked"]] == links
    assert [image["prompt"] for image in run.images] == ["A blue vase", "A red vase", BLOCKED]
    assert run.credits == 3
    again = new_try(try_number=2)
    assert len(again(made(lambda: prompts, task_id="vases"))) == 2
    assert again.credits == 0


def test_only_where_all_are_blocked_is_on_blocked_asked(sandbox: Sandbox, new_try: NewTry) -> None:
    with pytest.raises(AirflowSkipException, match="all 2 images"):
        new_try()(made(lambda: [BLOCKED, f"{BLOCKED} too"], task_id="vases", on_blocked="skip"))


def test_one_prompt_that_fails_stops_no_other(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    sandbox.dialect(**redirect("http://169.254.169.254/secret"))
    prompts, output = ["A blue vase", "A red vase", "A white vase"], f"file://{tmp_path}/"
    run = new_try()
    with pytest.raises(AirflowException, match=r"1 of 3 prompts failed.*prompt='A blue vase'"):
        run(made(lambda: prompts, task_id="vases", output=output))
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert run.credits == 3
    again = new_try(try_number=2)
    assert len(again(made(lambda: prompts, task_id="vases", output=output))) == 3
    assert sandbox.charged() == 3


def test_no_prompts_are_no_pictures(sandbox: Sandbox, new_try: NewTry) -> None:
    run = new_try()
    assert run(made(list, task_id="none")) == []
    assert sandbox.charged() == run.credits == 0


@pytest.mark.parametrize("returned", [None, 7, {"prompt": "A vase"}, ["A vase", None], b"A vase", {"A vase"}])
def test_a_wrong_return_value_is_refused_with_the_function_s_name(
    returned: object, sandbox: Sandbox, new_try: NewTry
) -> None:
    def describe() -> object:
        return returned

    with pytest.raises(AirflowFailException, match=r"@task\.claid_image: the function 'describe' returned .*prompt"):
        new_try()(made(describe))
    assert sandbox.ledger() == []


def test_an_async_function_is_refused_too(sandbox: Sandbox, new_try: NewTry) -> None:
    async def describe() -> str:
        return "A vase"

    with pytest.raises(AirflowFailException, match=r"'describe' returned .*coroutine"):
        new_try()(made(describe))


def test_a_prompt_that_claid_would_refuse_stops_the_list_before_any_credit(sandbox: Sandbox, new_try: NewTry) -> None:
    with pytest.raises(AirflowFailException, match="prompt='A'"):
        new_try()(made(lambda: ["A blue vase", "A"], task_id="vases"))
    assert sandbox.ledger() == []


def test_one_name_is_not_given_to_several_prompts(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"name='VASE' names the pictures of one prompt, and there are 2"):
        new_try()(made(lambda: ["A blue vase", "A red vase"], task_id="v", name="VASE", output=f"file://{tmp_path}/"))
    assert sandbox.ledger() == []


def test_what_the_function_raises_goes_through(sandbox: Sandbox, new_try: NewTry) -> None:
    def describe() -> str:
        raise LookupError("no such product")

    with pytest.raises(LookupError, match="no such product"):
        new_try()(made(describe))


def test_mistakes_show_when_the_dag_is_parsed() -> None:
    with pytest.raises(TypeError, match="takes no 'prompt'"):
        task.claid_image(prompt="A vase")
    with pytest.raises(AirflowFailException, match="number_of_images=9"):
        made(lambda: "A vase", task_id="vase", number_of_images=9)
    with pytest.raises(TypeError, match="missing a required argument"):
        made(lambda colour: colour, task_id="vase")
