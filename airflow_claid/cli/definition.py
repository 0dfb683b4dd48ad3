"""The commands as Airflow's own command line takes them (3.2+): ``airflow claid``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from airflow_claid.cli.command import Command, Group
from airflow_claid.cli.commands import COMMANDS
from airflow_claid.cli.running import run

if TYPE_CHECKING:
    from airflow.cli.cli_config import Arg, CLICommand


def get_claid_cli_commands() -> list[CLICommand]:
    """Return the group ``claid``, for the section ``cli`` of the provider's metadata."""
    from airflow.cli.cli_config import GroupCommand

    return [GroupCommand(name="claid", help="Claid: pictures, receipts and credits", subcommands=_translated(COMMANDS))]


def _translated(commands: tuple[Command | Group, ...]) -> list[CLICommand]:
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    return [
        GroupCommand(name=one.name, help=one.help, subcommands=_translated(tuple(one.commands)))
        if isinstance(one, Group)
        else ActionCommand(
            name=one.name,
            help=one.help,
            description=one.description,
            func=_running(one),
            args=cast("Iterable[Arg]", one.all_arguments()),  # Airflow uses `flags` and `add_to_parser` of an Arg
        )
        for one in commands
    ]


def _running(command: Command) -> Callable[[argparse.Namespace], None]:
    """Return what runs a command and ends with its exit code, which Airflow would ignore."""

    def end(arguments: argparse.Namespace) -> None:
        sys.exit(run(command, arguments))

    return end
