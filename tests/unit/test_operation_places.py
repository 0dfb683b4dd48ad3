"""Each paid operation is everywhere where an operation must be: client, order, operator, sandbox, tests and docs.

An operation has one file name on each floor; ``FILES`` says which.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_claid import client, operators
from airflow_claid.client import ClaidClient, JobKind, calls
from airflow_claid.client.prices import price_of
from airflow_claid.client.quota.rate_limits import Group
from airflow_claid.get_provider_info import get_provider_info
from airflow_claid.orders.order import Order
from airflow_claid.sandbox import pipeline
from airflow_claid.sandbox.operations import ALL
from airflow_claid.sandbox.settings import QUOTAS
from airflow_claid.sensors import ClaidJobSensor
from airflow_claid.triggers.job import ClaidJobTrigger
from tests.support.dialects import PLACES as ANSWERS
from tests.support.schemas import contract
from tests.support.submissions import SUBMISSIONS
from tests.unit.client.models.test_request_properties import KINDS
from tests.unit.orders.test_fingerprints_of_before import OPERATORS as FINGERPRINTED
from tests.unit.sandbox.test_contract import REACHED

ROOT = Path(__file__).parents[2]
FILES = {
    "generate_image": "generate",
    "edit_image": "edit",
    "submit_edit": "edit",
    "upload_and_edit": "edit",
    "submit_batch_edit": "batch_edit",
    "submit_ai_edit": "ai_edit",
    "submit_fashion_model": "fashion",
    "create_scene": "scene",
    "submit_video": "video",
}


@dataclass(frozen=True)
class Operation:
    """A paid operation of the contract.

    :param file: its file name on each floor.
    :param schema: the contract's name of its body.
    :param form: whether its body is a form with a file.
    """

    name: str
    file: str
    schema: str
    form: bool = False

    @property
    def job(self) -> str | None:
        """The kind of job that it makes, if it makes one."""
        return self.name.removeprefix("submit_") if self.name.startswith("submit_") else None


def paid_operations() -> list[Operation]:
    """All operations of the contract that cost credits: every POST but those to storages."""
    operations = []
    for methods in contract()["paths"].values():
        entry = methods.get("post")
        if entry is None or entry["x-scope"] == "storage":
            continue
        name = entry["operationId"]
        ((media_type, content),) = entry["requestBody"]["content"].items()
        schema = content["schema"]["$ref"].rpartition("/")[2]
        operations.append(Operation(name, FILES.get(name, ""), schema, form=media_type == "multipart/form-data"))
    return operations


def classes(name: str) -> list[type]:
    """The classes that a module of the package defines; none if there is no such module."""
    try:
        module = importlib.import_module(f"airflow_claid.{name}")
    except ModuleNotFoundError:
        return []
    return [one for one in vars(module).values() if inspect.isclass(one) and is_in(one, name)]


def is_in(thing: Any, name: str) -> bool:
    return bool(thing.__module__ == f"airflow_claid.{name}")


def exports_request(operation: Operation) -> bool:
    requests = [one for one in classes(f"client.models.{operation.file}") if one.__name__.endswith("Request")]
    return bool(requests) and all(getattr(client, one.__name__, None) is one for one in requests)


def has_client_methods(operation: Operation) -> bool:
    return all(hasattr(ClaidClient, name) for name in (operation.name, f"get_{operation.job or 'job'}"))


def has_job_kind(operation: Operation) -> bool:
    return operation.job is None or operation.job in {kind.value for kind in JobKind}


def has_job_call(operation: Operation) -> bool:
    """Whether client and sandbox agree on where the job is submitted, with which scope and against which quota."""
    if operation.job is None:
        return True
    kind = next((kind for kind in JobKind if kind.value == operation.job), None)
    served = in_sandbox(operation)
    if kind not in calls._JOBS or served is None:
        return False
    call = calls.submission(kind, {})
    return (f"/{call.path}", call.scope, call.group.value) == (served.path, served.scope, served.quota)


def orders_of(operation: Operation) -> list[type[Order]]:
    return [one for one in classes(f"orders.{operation.file}") if issubclass(one, Order)]


def has_priced_order(operation: Operation) -> bool:
    orders = orders_of(operation)
    return bool(orders) and all("credits" in vars(one) and "prices." in inspect.getsource(one) for one in orders)


def has_priced_receipts(operation: Operation) -> bool:
    """Whether ``price_of`` knows what the orders cost that a receipt keeps; only batches of edits list their inputs."""
    orders = orders_of(operation)
    return bool(orders) and all(price_of(one.operation, {"input": []}) is not None for one in orders)


def has_fingerprint(operation: Operation) -> bool:
    built = (type(build()) for build in FINGERPRINTED.values())
    return any(is_in(one, f"operators.{operation.file}") for one in built)


def exports_operator(operation: Operation) -> bool:
    return any(one.__name__ in operators.__all__ for one in classes(f"operators.{operation.file}"))


def is_in_provider_info(operation: Operation) -> bool:
    modules = [name for entry in get_provider_info()["operators"] for name in entry["python-modules"]]
    return f"airflow_claid.operators.{operation.file}" in modules


def in_sandbox(operation: Operation) -> pipeline.Operation[Any] | None:
    return next((one for one in ALL if one.name == operation.name), None)


def has_sandbox_body(operation: Operation) -> bool:
    served = in_sandbox(operation)
    return served is not None and served.body is not None and is_in(served.body, f"sandbox.bodies.{operation.file}")


def is_performed_by_sandbox(operation: Operation) -> bool:
    served = in_sandbox(operation)
    return served is not None and is_in(served.perform, f"sandbox.operations.{operation.file}")


def is_charged_by_sandbox(operation: Operation) -> bool:
    served = in_sandbox(operation)
    return served is not None and is_in(served.charge, f"sandbox.operations.{operation.file}")


def has_the_same_quota_on_both_sides(operation: Operation) -> bool:
    served = in_sandbox(operation)
    return served is not None and served.quota in {group.value for group in Group}


def has_sandbox_quota(operation: Operation) -> bool:
    served = in_sandbox(operation)
    return served is not None and served.quota in QUOTAS


def has_job_submission(operation: Operation) -> bool:
    return operation.job is None or operation.name in {one.operation for one in SUBMISSIONS}


def has_row(page: str, cell: str) -> bool:
    return any(line.startswith(f"| `{cell}") for line in (ROOT / page).read_text(encoding="utf-8").splitlines())


def has_row_of_request(operation: Operation) -> bool:
    """Whether the page says how its request is built, where its method takes one."""
    method = getattr(ClaidClient, operation.name, None)
    request = inspect.signature(method).parameters.get("request") if method else None
    return method is not None and (request is None or has_row("docs/client.md", f"{request.annotation}.of("))


def is_listed_kind(operation: Operation) -> bool:
    """Whether whoever waits for jobs is told of its kind."""
    page = (ROOT / "docs" / "waiting.md").read_text(encoding="utf-8")
    kinds = next(line for line in page.splitlines() if line.startswith("| `kind` |"))
    told = (inspect.getdoc(ClaidJobSensor) or "", inspect.getdoc(ClaidJobTrigger) or "", kinds)
    return operation.job is None or all(f'`"{operation.job}"`' in text for text in told)


PLACES: dict[str, Callable[[Operation], bool]] = {
    "client/models/X.py, with its request exported by client/__init__.py": exports_request,
    "client/client.py: its method, and get_X for a job": has_client_methods,
    "client/models/jobs.py: a JobKind, for a job": has_job_kind,
    "client/calls.py: the call that submits it, for a job": has_job_call,
    "client/quota/rate_limits.py: a Group of the name that the sandbox's quota has": has_the_same_quota_on_both_sides,
    "orders/X.py, with its credits from client/prices.py": has_priced_order,
    "client/prices.py: its price in price_of": has_priced_receipts,
    "operators/X.py, with an operator exported by operators/__init__.py": exports_operator,
    "get_provider_info.py: the operator's module": is_in_provider_info,
    "sandbox/settings.py: its quota, in QUOTAS": has_sandbox_quota,
    "sandbox/bodies/X.py": has_sandbox_body,
    "sandbox/operations/X.py, named in sandbox/operations/__init__.py": is_performed_by_sandbox,
    "sandbox/operations/X.py: its charge": is_charged_by_sandbox,
    "tests/support/submissions.py, for a job": has_job_submission,
    "tests/support/dialects.py: where its answers have pictures, in PLACES": lambda operation: (
        (f"get_{operation.job}" if operation.job else operation.name) in ANSWERS
    ),
    "tests/unit/orders/test_fingerprints_of_before.py: OPERATORS": has_fingerprint,
    "tests/unit/client/models/test_request_properties.py: KINDS": lambda operation: operation.schema in KINDS,
    "tests/unit/sandbox/operations/test_X.py": lambda operation: (
        ROOT / "tests" / "unit" / "sandbox" / "operations" / f"test_{operation.file}.py"
    ).is_file(),
    "tests/unit/sandbox/test_contract.py: REACHED, unless its body is a form": lambda operation: (
        operation.form or operation.name in REACHED
    ),
    "sensors/job.py, triggers/job.py and docs/waiting.md: its kind, for a job": is_listed_kind,
    "docs/client.md: a row for its request, if its method takes one": has_row_of_request,
    "docs/client.md: a row for its method": lambda operation: has_row("docs/client.md", f"{operation.name}("),
    "docs/operations.md, by scripts/operations_page.py": lambda operation: has_row(
        "docs/operations.md", f"{operation.name}`"
    ),
}


def missing_places(operation: Operation) -> list[str]:
    return [place for place, is_there in PLACES.items() if not is_there(operation)]


def test_each_paid_operation_of_the_contract_has_a_file_name() -> None:
    assert {operation.name for operation in paid_operations()} == set(FILES), "FILES must name it, and nothing else"


@pytest.mark.parametrize("operation", paid_operations(), ids=lambda operation: operation.name)
def test_an_operation_has_all_its_places(operation: Operation) -> None:
    missing = missing_places(operation)
    assert not missing, f"{operation.name} has no {'; no '.join(missing)}"


def test_every_place_of_an_operation_that_does_not_exist_is_missed() -> None:
    assert missing_places(Operation("submit_unheard_of", "unheard_of", "UnheardOfRequest")) == list(PLACES)


def test_provider_info_lists_the_module_of_every_operator() -> None:
    modules = [name for entry in get_provider_info()["operators"] for name in entry["python-modules"]]
    exported = (getattr(operators, name) for name in operators.__all__)
    assert set(modules) == {one.__module__ for one in exported if inspect.isclass(one)}
