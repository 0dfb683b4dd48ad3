from __future__ import annotations

import pytest

from airflow_claid.cli.commands import COMMANDS
from airflow_claid.cli.definition import get_claid_cli_commands
from airflow_claid.get_provider_info import get_provider_info
from airflow_claid.sandbox import Sandbox


def test_the_provider_names_the_commands() -> None:
    (name,) = get_provider_info()["cli"]
    assert name == f"{get_claid_cli_commands.__module__}.{get_claid_cli_commands.__name__}"


def test_airflows_parser_reads_every_command() -> None:
    (group,) = get_claid_cli_commands()
    assert {one.name for one in group.subcommands} == {one.name for one in COMMANDS}  # type: ignore[union-attr]


@pytest.mark.skipif("not __import__('importlib').metadata.version('apache-airflow-core') >= '3.2'")
def test_a_command_of_airflow_ends_with_our_exit_code(connected: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    arguments = get_parser().parse_args(["claid", "storages", "--json"])
    with pytest.raises(SystemExit) as end:
        arguments.func(arguments)
    assert (end.value.code, capsys.readouterr().out) == (0, "")
