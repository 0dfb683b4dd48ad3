"""What the tables of the pages say of parameters, options, states and errors is what the code has."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Set
from dataclasses import fields

import pytest
import requests
from importlinter.api import read_configuration

from airflow_claid import client, errors, operators, sensors
from airflow_claid.client import ClaidClient, ClaidError
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.receipt import ReceiptState
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.hooks.connection_form import CONN_FIELDS
from airflow_claid.notifications.trouble import ClaidNotifier
from airflow_claid.operators.bases.blocked import ON_BLOCKED
from airflow_claid.sandbox import KeySettings, Sandbox, SandboxSettings
from airflow_claid.sandbox.__main__ import add_options
from airflow_claid.sandbox.faults import DOWNLOAD_KINDS, KINDS
from tests import account_check_table
from tests.conftest import Connect
from tests.docs.pages import PAGES, ROOT, Page, Table, spans
from tests.support.schemas import contract

PUBLIC = {name: getattr(room, name) for room in (client, operators, sensors) for name in room.__all__}
CLASSES = {name: one for name, one in PUBLIC.items() if inspect.isclass(one)} | {"ClaidNotifier": ClaidNotifier}
WORDS_FOR_DEFAULTS = {"none": None, "the account's": None, "": inspect.Parameter.empty}


def tables(first: str) -> list[tuple[Page, Table]]:
    """All tables whose first column has this title."""
    return [(page, table) for page in PAGES for table in page.tables if table.header[0] == first]


def the_table(first: str) -> Table:
    ((_, table),) = tables(first)
    return table


def parameters_of(cls: type) -> dict[str, inspect.Parameter]:
    """All named parameters of a class and of those below it that are ours."""
    found: dict[str, inspect.Parameter] = {}
    for one in reversed(cls.__mro__):
        if one.__module__.startswith("airflow_claid.") and "__init__" in vars(one):
            found |= inspect.signature(vars(one)["__init__"]).parameters
    return {
        name: parameter
        for name, parameter in found.items()
        if name != "self" and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def documented_classes() -> Iterator[tuple[str, Table]]:
    for page, table in tables("Parameter"):
        (name, *_) = (*spans(table.heading), None)
        assert name in CLASSES, f"{page}:{table.line}: the heading names no class whose parameters these are"
        yield name, table


@pytest.mark.parametrize(("name", "table"), list(documented_classes()))
def test_parameters_and_their_defaults_are_those_of_the_signature(name: str, table: Table) -> None:
    parameters = parameters_of(CLASSES[name])
    for parameter, default in table.column("Default").items():
        assert parameter in parameters, f"{name} has no parameter {parameter}"
        said = default.strip("`")
        if said.startswith("http"):
            said = repr(said)
        value = WORDS_FOR_DEFAULTS[said] if said in WORDS_FOR_DEFAULTS else ast.literal_eval(said)
        assert parameters[parameter].default == value, f"{name}: {parameter}"


@pytest.mark.parametrize("name", sorted(CLASSES.keys() & {*operators.__all__, *sensors.__all__, "ClaidClient"}))
def test_a_page_names_every_public_parameter(name: str) -> None:
    pages = [page for page in PAGES if page.path.parent != ROOT and page.path.name != "operations.md"]
    guides = [{span for _, line in page.prose for span in spans(line)} for page in pages]
    wanted = {name, *parameters_of(CLASSES[name])}
    assert any(names >= wanted for names in guides), f"no page names, each in a code span, {', '.join(wanted)}"


def test_extras_are_those_of_the_form() -> None:
    assert set(the_table("Extra").names) == CONN_FIELDS.keys()


def test_options_are_those_of_the_command() -> None:
    known: set[str] = set()
    add_options(lambda *flags, **settings: known.update(flags))
    assert set(the_table("Option").names) == known


def test_states_kinds_and_words_are_those_of_the_code() -> None:
    assert set(the_table("`state`").names) == {state.value for state in ReceiptState}
    assert {word.strip('"') for word in the_table("`on_blocked`").names} == set(ON_BLOCKED)
    kinds = {name for row in the_table("Kind").rows for name in spans(row[0])}
    assert kinds == {*KINDS, *DOWNLOAD_KINDS}


def test_every_exception_is_there_and_what_is_said_of_it_is_so() -> None:
    rooms = (client, errors)
    known = {
        name: one
        for room in rooms
        for name, one in vars(room).items()
        if inspect.isclass(one) and issubclass(one, Exception) and one is not ClaidError
    }
    said: dict[str, dict[str, str]] = {}
    for _, table in tables("Exception"):
        for row in table.rows:
            said[spans(row[0])[0]] = dict(zip(table.header, row, strict=True))
    assert said.keys() == known.keys()
    for name, one in known.items():
        if issubclass(one, ClaidError):
            assert said[name]["Charged?"] == ("perhaps" if one.may_have_been_charged else "no"), name
        if hasattr(one, "retryable") and said[name]["Retried?"]:
            assert said[name]["Retried?"].startswith("yes") is one.retryable, name


def test_methods_of_the_client_are_all_there_with_these_parameters() -> None:
    told = set()
    for signature in the_table("Method").names:
        name = signature.partition("(")[0]
        told.add(name)
        check_signature(signature, getattr(ClaidClient, name))
    operations = {one["operationId"] for path in contract()["paths"].values() for one in path.values()}
    assert told == operations | {"get_job"}


def test_requests_of_the_client_are_built_by_these_parameters() -> None:
    for signature in the_table("Request").names:
        if "(" in signature:
            cls, _, method = signature.partition("(")[0].partition(".")
            check_signature(signature, getattr(CLASSES[cls], method), ignored={"names"})


def check_signature(signature: str, method: Callable[..., object], ignored: Set[str] = frozenset()) -> None:
    """Check that a signature on a page has the parameters and defaults of the method."""
    call = ast.parse(signature, mode="eval").body
    assert isinstance(call, ast.Call)
    parameters = inspect.signature(method).parameters
    named = {one.id for one in call.args if isinstance(one, ast.Name)}
    assert named | {one.arg for one in call.keywords} == parameters.keys() - {"self"} - ignored, signature
    for one in call.keywords:
        assert parameters[one.arg or ""].default == ast.literal_eval(one.value), signature


def test_keys_of_the_results_are_those_of_the_example_or_of_other_pictures() -> None:
    page = Page(ROOT / "docs" / "results.md")
    others = {"input", *(field.name for field in fields(DeliveredImage))}
    (example,) = (block for block in page.blocks if block.kind == "json")
    (table,) = (table for table in page.tables if table.header[0] == "Key")
    for key in table.names:
        assert f'"{key}":' in example.text or key in others


def test_make_targets_are_those_of_the_makefile() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(the_table("Target").names) <= set(phony.split())


def test_places_in_the_repository_are_there() -> None:
    """``X.py`` and ``X_batch.py`` stand for the files that an operation has in each package."""
    named = [name for _, table in tables("Where") for row in table.rows for name in spans(row[0])]
    named += [name for row in the_table("Package").rows for name in spans(row[2])]
    named += [name for _, table in tables("Where") for row in table.rows for name in spans(row[1]) if _is_path(name)]
    for name in named:
        assert (ROOT / re.sub(r"X(?=(_batch)?\.py)", "fashion", name)).exists(), name


def _is_path(name: str) -> bool:
    return "/" in name and "://" not in name


def test_packages_are_the_layers_of_the_import_rule() -> None:
    rules = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    (rule,) = (one for one in rules if one["type"] == "layers")
    layers = [name for layer in rule["layers"] for name in layer.split(" : ")]
    assert the_table("Package").names == layers


def test_addresses_of_the_sandbox_answer(sandbox: Sandbox) -> None:
    for cell in the_table("Address").names:
        *methods, path = re.split(r"[, ]+", cell) if " " in cell else (cell, "/sandbox/faults")
        for method in methods:
            answer = requests.request(method, sandbox.url + path, json={}, timeout=10)
            assert answer.status_code in (200, 422), f"{method} {path}"


def test_what_testing_a_connection_says_is_on_the_page(connect: Connect) -> None:
    said = the_table("Message").names
    scopes = {"all": frozenset({"image_editing", "storage"}), "no-storage": frozenset({"image_editing"})}
    keys = (
        *(KeySettings(key, one) for key, one in scopes.items()),
        KeySettings("storage-only", frozenset({"storage"})),
    )
    with Sandbox(SandboxSettings(keys=keys)) as sandbox:
        sandbox.connect_storage("shop", bucket="shop-pictures")
        told = [
            ClaidHook(connect("claid_default", conn_type="claid", password=key, host=sandbox.url)).test_connection()[1]
            for key in ("all", "no-storage", "unknown-key", "storage-only")
        ]
    assert told == said[:4]
    _, message = ClaidHook(
        connect("claid_default", conn_type="claid", password="x", host="http://127.0.0.1:9", extra={"max_wait": 0})
    ).test_connection()
    assert said[4].strip("… ") in message


def test_assumptions_of_the_account_check_are_those_of_the_code() -> None:
    assert account_check_table.on_page() == account_check_table.written(), "run python -m tests.account_check_table"
