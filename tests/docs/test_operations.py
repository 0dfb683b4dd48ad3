"""The page of operations is what contract, client, operators, sandbox and examples have."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from airflow_claid.sandbox.operations import ALL
from tests.docs.pages import ROOT
from tests.support.scripts import script


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return script("operations_page")


def test_the_page_is_as_the_generator_writes_it(generator: ModuleType) -> None:
    assert generator.PAGE.read_text(encoding="utf-8") == generator.page(), "run scripts/operations_page.py"


def test_the_page_has_each_operation_of_the_contract_and_the_sandbox_once(generator: ModuleType) -> None:
    operations = generator.contract_operations()
    assert len(operations) == len(set(operations)) == 20
    assert set(operations) == {operation.name for operation in ALL}


@pytest.mark.parametrize("page", ["index.md", "sandbox.md"])
def test_a_page_that_says_how_many_operations_there_are_says_so_rightly(page: str) -> None:
    [said] = re.findall(r"(\d+) operations", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert int(said) == len(ALL)


def test_only_what_says_why_has_no_operator_and_no_example(generator: ModuleType) -> None:
    without = set(generator.WITHOUT_OPERATOR)
    assert set(generator.OPERATORS) == set(generator.EXAMPLE) == set(generator.contract_operations()) - without
    assert all(len(why) > len("none: ") for why in generator.WITHOUT_OPERATOR.values())


def test_an_example_names_an_operator_of_its_operation(generator: ModuleType) -> None:
    for operation, example in generator.EXAMPLE.items():
        code = (generator.EXAMPLES / f"{example}.py").read_text(encoding="utf-8")
        assert any(f"{name}(" in code or f"{name}.partial(" in code for name in generator.OPERATORS[operation]), (
            operation
        )
