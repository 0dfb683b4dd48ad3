from __future__ import annotations

import pytest

from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.unit.cli.conftest import Claid

KEY = "sk-0123456789abcdefghij"


def test_a_wrong_key_is_a_sentence_that_does_not_show_it(sandbox: Sandbox, connect: Connect, command: Claid) -> None:
    connect("claid_default", conn_type="claid", password=KEY, host=sandbox.url)
    ended = command("storages")
    assert (ended.code, ended.out) == (3, "")
    assert "401" in ended.err
    assert "Traceback" not in ended.err
    assert KEY not in ended.err


def test_a_traceback_does_not_show_the_key_either(sandbox: Sandbox, connect: Connect, command: Claid) -> None:
    connect("claid_default", conn_type="claid", password=KEY, host=sandbox.url)
    ended = command("storages", "--debug")
    assert "Traceback" in ended.err
    assert KEY not in ended.err


def test_a_missing_connection_is_wrong_usage(command: Claid) -> None:
    ended = command("storages", "--conn-id", "nobody")
    assert ended.code == 2
    assert "no connection 'nobody'" in ended.err
    assert "CLAID_API_KEY" in ended.err


@pytest.mark.parametrize(
    "words", [("--api-key", KEY), (f"--api-key={KEY}",), ("--key", KEY), (f"--token={KEY}",), (KEY,)]
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(words: tuple[str, ...], command: Claid) -> None:
    ended = command("storages", *words)
    assert (ended.code, ended.out) == (2, "")
    assert KEY not in ended.err


def test_without_a_command_there_is_help_and_nothing_else(command: Claid) -> None:
    assert command().code == 2
    ended = command("--help")
    assert (ended.code, ended.err) == (0, "")
    assert "storages" in ended.out
